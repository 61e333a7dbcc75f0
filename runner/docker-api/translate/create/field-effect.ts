/**
 * What becomes of one field of a container's creation (ContainerCreateRequest of the Docker Engine API v1.51). The
 * tables of these, one a concern, are the one declaration, from which docs/docker-api.md is written.
 */
export type FieldEffect =
  /** In force; `where` says by what, `test` names the file (from the repository's root) that shows it. */
  | { readonly kind: 'works'; readonly where: string; readonly test: string }
  /** Taken and told again, without an effect, as by dockerd on this kind of host. */
  | { readonly kind: 'no-effect'; readonly why: string };

export type FieldEffects = Readonly<Record<string, FieldEffect>>;

export const works = (where: string, test: string): FieldEffect => ({ kind: 'works', where, test });
export const noEffect = (why: string): FieldEffect => ({ kind: 'no-effect', why });

/** Where the docker CLI's transcript is. */
export const transcript = 'test/docker-cli/transcript.ts';
