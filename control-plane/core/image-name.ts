/**
 * The canonical form of an image's name, as hosts report it: `hello` is `docker.io/library/hello:latest` (distribution's
 * "familiar names"). An image ID (`sha256:…`) stays as it is.
 */
export function canonicalImageName(name: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(name)) return name;
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasDomain = first === 'localhost' || /[.:A-Z]/.test(first);
  const path = hasDomain ? name.slice(slash + 1) : name;
  const domain = hasDomain && first !== 'index.docker.io' ? first : 'docker.io';
  const repository = domain === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  const last = repository.slice(repository.lastIndexOf('/') + 1);
  return `${domain}/${repository}${/[:@]/.test(last) ? '' : ':latest'}`;
}
