/** A file that cannot be read at all. Its message is one sentence after the file's name, and shows nothing of the file. */
export class ReadError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ReadError";
  }
}
