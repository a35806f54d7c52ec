/** A file as text, for tests that hold documentation against code. */
declare module "*.md?raw" {
  const text: string;
  export default text;
}
