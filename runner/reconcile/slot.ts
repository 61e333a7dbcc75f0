/** A slot of a service, as a map's key. */
export type SlotKey = `${string}/${number}`;

/** The key of a slot: of a task, or of a container that was made for one. */
export function slotKey(of: { readonly serviceId: string; readonly slot: number }): SlotKey {
  return `${of.serviceId}/${of.slot}`;
}
