/** The release of every part in this repository. */
export const BERTH_VERSION = '0.1.0';
