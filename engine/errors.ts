/** Bad input or a fault of the machine: the command line prints the message as one line and exits with 1. */
export class InputError extends Error {
  override name = 'InputError';
}

/** A buffer is larger than the device allows one to be. */
export class TooLargeError extends InputError {}

/** The GPU's memory does not hold it: something smaller may fit. */
export class OutOfMemoryError extends InputError {}

/** A wrong option or knob: the command line prints the message as one line and exits with 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}
