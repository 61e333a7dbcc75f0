/**
 * JSON with sorted keys and no white space, so that equal values have equal texts and digests. `undefined` members are
 * dropped as JSON.stringify drops them. (RFC 8785 in effect for our data: strings, integers, booleans, null, arrays.)
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (member === null || typeof member !== 'object' || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}
