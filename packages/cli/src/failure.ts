/** An error that the user can correct: printed as one sentence, without a stack. */
export class Failure extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Failure";
  }
}
