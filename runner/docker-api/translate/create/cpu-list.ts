/**
 * The numbers of a list as cpuset.cpus takes it (`0-2,4`; cpuset(7), "List format"), undefined when it is none. An empty
 * text is the empty list.
 */
export function parseCpuList(text: string): ReadonlySet<number> | undefined {
  const numbers = new Set<number>();
  if (text === '') return numbers;
  for (const part of text.split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim());
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first || last > maxCpu) return undefined;
    for (let number = first; number <= last; number += 1) numbers.add(number);
  }
  return numbers;
}

/** More processors or memory nodes than Linux can have. */
const maxCpu = 8192;
