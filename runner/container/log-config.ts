/** Where a container's output is kept: a part of its config. */
export const logShape = {};
