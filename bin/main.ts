/**
 * The one place that knows all three programs: `berth control-plane` and `berth runner` are the daemons, every other
 * verb is the client's.
 */
async function main(argv: readonly string[]): Promise<number> {
  const [verb, ...rest] = argv;
  switch (verb) {
    case 'control-plane': {
      const { runControlPlane } = await import('../control-plane/node.ts');
      return runControlPlane(rest);
    }
    case 'runner': {
      const { runRunner } = await import('../runner/main.ts');
      return runRunner(rest);
    }
    default: {
      const { runCli } = await import('../cli/main.ts');
      return runCli(argv);
    }
  }
}

process.exitCode = await main(process.argv.slice(2));
