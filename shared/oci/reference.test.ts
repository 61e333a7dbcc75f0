import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isBerthError } from '../errors.ts';
import { familiarName, familiarReference, formatReference, parseReference } from './reference.ts';

const hex = 'a'.repeat(64);

describe('parseReference', () => {
  test.each([
    ['hello', 'docker.io/library/hello:latest'],
    ['hello:1', 'docker.io/library/hello:1'],
    ['me/hello', 'docker.io/me/hello:latest'],
    ['docker.io/hello', 'docker.io/library/hello:latest'],
    ['index.docker.io/me/hello:2', 'docker.io/me/hello:2'],
    ['localhost/hello', 'localhost/hello:latest'],
    ['localhost:5000/hello', 'localhost:5000/hello:latest'],
    ['registry:5000/a/b/c:v1.2-3_4', 'registry:5000/a/b/c:v1.2-3_4'],
    ['[fe80::1]:5000/x', '[fe80::1]:5000/x:latest'],
    ['Registry/x', 'Registry/x:latest'],
    ['a__b/c--d/e.f', 'docker.io/a__b/c--d/e.f:latest'],
    [`hello@sha256:${hex}`, `docker.io/library/hello@sha256:${hex}`],
    [`quay.io/a/b:1@sha256:${hex}`, `quay.io/a/b:1@sha256:${hex}`],
    ['hello:5000', 'docker.io/library/hello:5000'],
  ])('%s is %s', (text, canonical) => {
    expect(formatReference(parseReference(text))).toBe(canonical);
  });

  test.each([
    ['', 'invalid reference format'],
    ['hello:', 'invalid reference format'],
    [':tag', 'invalid reference format'],
    ['/hello', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['hello world', 'invalid reference format'],
    ['../../etc/passwd', 'invalid reference format'],
    ['a/../b', 'invalid reference format'],
    ['-hello', 'invalid reference format'],
    ['hello@sha256:abc', 'invalid reference format'],
    [`hello:${'t'.repeat(129)}`, 'invalid reference format'],
    ['host:port/hello', 'invalid reference format'],
    ['Hello', 'invalid reference format: repository name (Hello) must be lowercase'],
    ['me/Hello', 'invalid reference format: repository name (me/Hello) must be lowercase'],
    [hex, `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`],
    [`x/${'a'.repeat(256)}`, 'repository name must not be more than 255 characters'],
  ])('%s is refused: %s', (text, message) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ code: 'image.reference-invalid', message: `image reference "${text}": ${message}` }),
    );
  });
});

test('familiar forms leave out what Docker leaves out', () => {
  expect(familiarReference(parseReference('docker.io/library/hello:1'))).toBe('hello:1');
  expect(familiarReference(parseReference('docker.io/me/hello'))).toBe('me/hello:latest');
  expect(familiarReference(parseReference('quay.io/library/hello'))).toBe('quay.io/library/hello:latest');
  expect(familiarName(parseReference('docker.io/library/a/b:1'))).toBe('library/a/b');
  expect(familiarName(parseReference('docker.io/a.b/c'))).toBe('docker.io/a.b/c');
});

const component = fc.stringMatching(/^[a-z0-9]{1,6}([._-][a-z0-9]{1,4})?$/);
const written = fc
  .tuple(
    fc.option(fc.constantFrom('docker.io', 'localhost', 'localhost:5000', 'r.example:443', '10.0.0.1:80')),
    fc.array(component, { minLength: 1, maxLength: 4 }),
    fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/)),
    fc.option(fc.stringMatching(/^[0-9a-f]{64}$/)),
  )
  .map(([domain, path, tag, digest]) => {
    const name = [...(domain === null ? [] : [domain]), ...path].join('/');
    return name + (tag === null ? '' : `:${tag}`) + (digest === null ? '' : `@sha256:${digest}`);
  });

test('the canonical and the familiar text both lead back to the same reference', () => {
  fc.assert(
    fc.property(written, (text) => {
      fc.pre(!/^[0-9a-f]{64}$/.test(text));
      const reference = parseReference(text);
      expect(parseReference(formatReference(reference))).toEqual(reference);
      expect(parseReference(familiarReference(reference))).toEqual(reference);
    }),
  );
});

const safe = /^[A-Za-z0-9.:[\]-]+\/[a-z0-9._/-]+(:[\w.-]+)?(@sha256:\w+)?$/;

function outcome(text: string): string {
  try {
    return safe.test(formatReference(parseReference(text))) ? 'safe' : 'unsafe';
  } catch (error) {
    return isBerthError(error) ? error.code : 'another error';
  }
}

test('any text either parses to a canonical form of safe characters or is refused with our code', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(['safe', 'image.reference-invalid']).toContain(outcome(text));
    }),
  );
});
