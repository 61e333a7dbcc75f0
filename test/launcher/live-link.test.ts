import { afterAll, beforeAll, expect, test } from 'vitest';
import { exists, Laboratory, link, routesOf, until, withBridge } from './fixture.ts';
import { execIn } from './exec-in.ts';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory[Symbol.asyncDispose]());

test('a running container gets a link and loses it; both any number of times', async () => {
  const end = link(laboratory.instance, 20);
  const { launcher } = laboratory;
  await withBridge(laboratory, async () => {
    await using shim = await launcher.launch(await laboratory.request('exec sleep 1000'));
    for (let round = 0; round < 2; round += 1) {
      await launcher.connectLink(shim.pid, end);
      const seen = await execIn(
        shim,
        `cat /sys/class/net/eth0/address; ip route; ping -c 1 -W 30 ${end.gateway} >/dev/null`,
      );
      expect(seen).toMatchObject({
        exitCode: 0,
        stdout: `${end.macAddress}\n${routesOf(end)}`,
      });
      await launcher.disconnectLink(shim.pid, 'eth0');
      await launcher.disconnectLink(shim.pid, 'eth0');
      expect(exists(`/sys/class/net/${end.hostName}`)).toBe(false);
      expect((await execIn(shim, 'ls /sys/class/net; ip route')).stdout).toBe('lo\n');
    }
    await shim.signal(9);
    await shim.exit;
  });
});

test("the default route is the last gateway's, and can be given to another link", async () => {
  const first = link(laboratory.instance, 21);
  const second = {
    ...link(laboratory.instance, 22),
    containerName: 'eth1',
    address: '10.211.8.22',
    gateway: '10.211.8.1',
  };
  const { launcher } = laboratory;
  await withBridge(laboratory, async () => {
    await using shim = await launcher.launch(
      await laboratory.request('exec sleep 1000', { request: { links: [first] } }),
    );
    const route = async () => (await execIn(shim, 'ip route | grep default')).stdout;
    expect(await route()).toBe(`default via ${first.gateway} dev eth0 \n`);
    await launcher.connectLink(shim.pid, { ...second, gateway: '' });
    expect(await route()).toBe(`default via ${first.gateway} dev eth0 \n`);
    // What an attempt that was cut short left is replaced.
    await launcher.connectLink(shim.pid, second);
    expect(await route()).toBe('default via 10.211.8.1 dev eth1 \n');
    await launcher.setGateway(shim.pid, 'eth0', first.gateway);
    expect(await route()).toBe(`default via ${first.gateway} dev eth0 \n`);
    await shim.signal(9);
    await shim.exit;
    await until(() => !exists(`/sys/class/net/${first.hostName}`) && !exists(`/sys/class/net/${second.hostName}`));
  });
});

test('a link that cannot be made leaves nothing, and a container that has ended is told as such', async () => {
  const end = link(laboratory.instance, 23);
  const { launcher } = laboratory;
  await withBridge(laboratory, async () => {
    await using shim = await launcher.launch(
      await laboratory.request('exec sleep 1000', { request: { links: [end] } }),
    );
    const late = link(laboratory.instance, 24);
    await expect(launcher.connectLink(shim.pid, late)).rejects.toMatchObject({
      code: 'launch.failed',
      message: expect.stringContaining('EEXIST') as string,
    });
    await expect(
      launcher.connectLink(shim.pid, { ...late, containerName: 'eth1', gateway: '192.0.2.1' }),
    ).rejects.toThrow('set default route by eth1');
    expect(exists(`/sys/class/net/${late.hostName}`)).toBe(false);
    expect((await execIn(shim, 'ls /sys/class/net')).stdout).toBe('eth0\nlo\n');
    const { pid } = shim;
    await shim.signal(9);
    await shim.exit;
    await expect(launcher.connectLink(pid, late)).rejects.toMatchObject({ code: 'link.no-process' });
    await expect(launcher.setGateway(pid, 'eth0', '10.0.0.1')).rejects.toMatchObject({ code: 'link.no-process' });
    await launcher.disconnectLink(pid, 'eth0');
    expect(exists(`/sys/class/net/${late.hostName}`)).toBe(false);
  });
});
