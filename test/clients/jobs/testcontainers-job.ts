/*
 * What a test suite does with testcontainers: containers that are there when it needs them. The engine's socket is in
 * DOCKER_HOST. Argument: a directory to mount. Prints one JSON object: what each step gave.
 */
import { text } from 'node:stream/consumers';
import { GenericContainer, Network, Wait } from 'testcontainers';

const [directory = ''] = process.argv.slice(2);
const result: Record<string, unknown> = {};

await using network = await new Network().start();
await using web = await new GenericContainer('busybox:latest')
  .withNetwork(network)
  .withNetworkAliases('web')
  .withCommand(['httpd', '-f', '-v', '-p', '8080', '-h', '/site'])
  .withCopyContentToContainer([{ content: 'from a copy\n', target: '/site/copied' }])
  .withBindMounts([{ source: directory, target: '/site/mounted', mode: 'ro' }])
  .withEnvironment({ COLOUR: 'blue' })
  .withExposedPorts(8080)
  .withWaitStrategy(Wait.forHttp('/copied', 8080))
  .start();

const url = `http://${web.getHost()}:${web.getMappedPort(8080)}`;
result['copied'] = await (await fetch(`${url}/copied`)).text();
result['mounted'] = await (await fetch(`${url}/mounted/file`)).text();
result['environment'] = (await web.exec(['sh', '-c', 'echo $COLOUR'])).output;

await using job = await new GenericContainer('busybox:latest')
  .withNetwork(network)
  .withCommand(['sh', '-c', 'wget -qO- http://web:8080/copied && echo fetched && sleep 1000'])
  .withHealthCheck({ test: ['CMD', 'true'], interval: 100, timeout: 5000, retries: 3 })
  .withTmpFs({ '/scratch': 'rw,size=1m' })
  .withWaitStrategy(Wait.forAll([Wait.forLogMessage('fetched'), Wait.forHealthCheck()]))
  .start();
result['scratch'] = (await job.exec(['sh', '-c', 'grep -c "/scratch tmpfs" /proc/mounts'])).output.trim();
result['archive'] = (await text(await web.copyArchiveFromContainer('/site/copied'))).includes('from a copy');
await web.restart();
const again = `http://${web.getHost()}:${web.getMappedPort(8080)}`;
result['restarted'] = await (await fetch(`${again}/copied`)).text();
await job.stop();
await web.stop();
process.stdout.write(`${JSON.stringify(result)}\n`);
