import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dockerApiReference } from '../runner/docker-api/reference.ts';

/** Writes docs/docker-api.md from what the code declares; a test tells when it is not current. */
await writeFile(join(import.meta.dirname, '..', 'docs', 'docker-api.md'), dockerApiReference());
