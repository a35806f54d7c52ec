/** A file as text, for tests that compare documentation with code. */
declare module "*.md?raw" {
  const text: string;
  export default text;
}
declare module "*.json?raw" {
  const text: string;
  export default text;
}
declare module "*.toml?raw" {
  const text: string;
  export default text;
}
declare module "*/_headers?raw" {
  const text: string;
  export default text;
}
declare module "*.csv?raw" {
  const text: string;
  export default text;
}
/** Vite replaces the call by the files that match. */
interface ImportMeta {
  glob<T>(
    pattern: string,
    options: { readonly query: string; readonly import: string; readonly eager: true },
  ): Record<string, T>;
  /** The modules themselves. */
  glob<T>(pattern: string, options: { readonly eager: true }): Record<string, T>;
}
declare module "*.json?raw" {
  const text: string;
  export default text;
}
declare module "*.ndjson?raw" {
  const text: string;
  export default text;
}
declare module "*.txt?raw" {
  const text: string;
  export default text;
}
