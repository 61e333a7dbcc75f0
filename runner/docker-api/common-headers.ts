import { BERTH_VERSION } from '#shared/version.ts';
import { API_VERSION } from './api-version.ts';

/** On every answer, as dockerd sends them; clients negotiate by the first. */
export const commonHeaders: Readonly<Record<string, string>> = {
  'Api-Version': API_VERSION,
  'Docker-Experimental': 'false',
  Ostype: 'linux',
  Server: `Berth/${BERTH_VERSION} (linux)`,
};
