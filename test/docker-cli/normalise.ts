const rules: readonly (readonly [RegExp, string])[] = [
  [/\r\n/g, '\n'],
  // Where the client of each engine runs.
  [/\/tmp\/berth-cli-\w{6}/g, '<directory>'],
  [/sha256:[0-9a-f]{64}/g, 'sha256:<digest>'],
  [/\b[0-9a-f]{64}\b/g, '<id>'],
  [/\b[0-9a-f]{12}\b/g, '<id>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, '<time>'],
  [
    /\b(Less than a second|About a minute|About an hour|\d+ (seconds?|minutes|hours|days|weeks|months|years))( ago)?/g,
    '<while>$3',
  ],
  [/\b\d{1,3}(\.\d{1,3}){3}\b/g, '<address>'],
  [/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, '<mac>'],
  [/\bIMAGE ID {2,}/g, 'IMAGE ID  '],
  // Columns are as wide as their longest value.
  [/ {2,}/g, '  '],
  [/ +$/gm, ''],
];

/** A command's output without what differs from run to run. */
export function normalise(text: string): string {
  let result = text;
  for (const [pattern, replacement] of rules) result = result.replaceAll(pattern, replacement);
  return result;
}
