import { BerthError } from '../errors.ts';

/**
 * An image reference in its parts, normalised as Docker does it (distribution/reference, `ParseNormalizedNamed`):
 * `hello` is `docker.io/library/hello:latest`.
 */
export interface ImageReference {
  /** Registry host and port: `docker.io`, `localhost:5000`, `[fe80::1]:5000`. */
  readonly domain: string;
  /** Repository path without the domain: `library/hello`. */
  readonly path: string;
  /** Undefined only when there is a digest. */
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const defaultDomain = 'docker.io';
const legacyDefaultDomain = 'index.docker.io';
const officialPrefix = 'library/';
const defaultTag = 'latest';
const maxNameLength = 255;

const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domain = String.raw`(?:${domainComponent}(?:\.${domainComponent})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?`;
const pathComponent = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const referencePattern = new RegExp(
  String.raw`^(?<domain>${domain})/(?<path>${pathComponent}(?:/${pathComponent})*)` +
    String.raw`(?::(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$`,
);

function invalid(text: string, why: string): BerthError {
  return new BerthError('invalid', 'image.reference-invalid', `image reference "${text}": ${why}`, {
    remedy: 'Write [registry[:port]/]name[:tag][@sha256:digest] with the name in lower case, such as hello:1.',
  });
}

/** The first component is a registry when it could not be a user name: it has a dot, a port or upper case, or is localhost. */
function splitDomain(text: string): { domain: string; remainder: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const named = slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const written = named ? first : defaultDomain;
  const remainder = named ? text.slice(slash + 1) : text;
  const domain = written === legacyDefaultDomain ? defaultDomain : written;
  const official = domain === defaultDomain && !remainder.includes('/');
  return { domain, remainder: official ? officialPrefix + remainder : remainder };
}

/**
 * Parses and normalises a reference as a person wrote it. Without a tag or digest the tag is `latest`.
 *
 * @throws BerthError `image.reference-invalid`, with Docker's texts (`invalid reference format` …)
 */
export function parseReference(text: string): ImageReference {
  if (/^[0-9a-f]{64}$/.test(text)) {
    throw invalid(text, `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { domain, remainder } = splitDomain(text);
  const name = remainder.replace(/@.*$/s, '').replace(/:[^/]*$/s, '');
  if (name !== name.toLowerCase()) {
    const shown = name.startsWith(officialPrefix) && !text.includes('/') ? name.slice(officialPrefix.length) : name;
    throw invalid(text, `invalid reference format: repository name (${shown}) must be lowercase`);
  }
  const groups = referencePattern.exec(`${domain}/${remainder}`)?.groups;
  if (groups === undefined) throw invalid(text, 'invalid reference format');
  const path = groups['path'] ?? '';
  if (domain.length + 1 + path.length > maxNameLength) {
    throw invalid(text, `repository name must not be more than ${maxNameLength} characters`);
  }
  const digest = groups['digest'];
  return { domain, path, tag: groups['tag'] ?? (digest === undefined ? defaultTag : undefined), digest };
}

function withTagAndDigest(name: string, reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return `${name}${tag}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
}

/** The canonical text, the key under which images are stored: `docker.io/library/hello:latest`. */
export function formatReference(reference: ImageReference): string {
  return withTagAndDigest(`${reference.domain}/${reference.path}`, reference);
}

/**
 * The repository without domain and `library/` where they are Docker's defaults: `hello`, `quay.io/a/b`. A path that would
 * be read as a registry by itself (`docker.io/a.b/c`) keeps its domain.
 */
export function familiarName(reference: ImageReference): string {
  const { domain, path } = reference;
  const official = path.startsWith(officialPrefix) && path.split('/').length === 2;
  const short = official ? path.slice(officialPrefix.length) : path;
  const read = splitDomain(short);
  return read.domain === domain && read.remainder === path && domain === defaultDomain ? short : `${domain}/${path}`;
}

/** The short text for people: `hello:latest`. Parsing it gives the same reference again. */
export function familiarReference(reference: ImageReference): string {
  return withTagAndDigest(familiarName(reference), reference);
}
