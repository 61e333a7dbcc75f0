/** Who uses volumes, as the containers' records say it: there is no second list. */
export interface VolumeUsage {
  /** Ids of all containers, running or not, that have it mounted. */
  usersOf(name: string): readonly string[];
  /** True when one of them runs or is being started. */
  isActive(name: string): boolean;
  isContainer(id: string): boolean;
}
