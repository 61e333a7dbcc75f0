import { tar } from '../../support/tar.ts';
import { script, step, type Step } from '../step.ts';

const parcel = Buffer.from(tar([{ name: 'parcel', content: 'from a tar\n' }])).toString('latin1');
const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';
const otherTar = { why: 'dockerd names its helper process and what Go’s reader says', in: ['stderr'] } as const;

/** Files, file systems and images, in and out of the engine. */
export const archiveSteps: readonly Step[] = [
  step('create --name vessel busybox sleep 1000', { stdout: '<id>\n' }),
  step('cp hold/note vessel:/tmp/note', {
    files: { 'hold/note': 'cargo\n', 'hold/deep/list': 'one\n' },
    stderr: '',
  }),
  step('cp -q hold vessel:/tmp', { stderr: '' }),
  step('cp -q hold/. vessel:/srv', { stderr: '' }),
  step('start vessel', { stdout: 'vessel\n' }),
  script('exec vessel', 'cat /tmp/note /tmp/hold/deep/list; ls /srv', { stdout: 'cargo\none\ndeep\nnote\n' }),
  step('cp -q vessel:/tmp/note back', { stderr: '' }),
  step('cp -q back vessel:/tmp/again'),
  step('exec vessel cmp /tmp/note /tmp/again'),
  step('exec vessel ln -s note /tmp/link'),
  step('cp -q vessel:/tmp/link linked'),
  step('cp -q -L vessel:/tmp/link followed'),
  step('cp -q linked vessel:/root/linked'),
  step('cp -q followed vessel:/root/followed'),
  script('exec vessel', 'readlink /root/linked; cat /root/followed', { stdout: 'note\ncargo\n' }),
  step('cp -q - vessel:/root', { input: parcel }),
  step('exec vessel cat /root/parcel', { stdout: 'from a tar\n' }),
  step('cp -q vessel:/tmp/hold fetched'),
  step('cp -q -a fetched vessel:/root/fetched'),
  step('exec vessel cat /root/fetched/deep/list', { stdout: 'one\n' }),
  step('cp vessel:/nosuch .', { exit: 1, stderr: /Could not find the file \/nosuch in container vessel/ }),
  step('cp nosuch:/x .', { exit: 1, stderr: /No such container: nosuch/ }),
  step('cp hold/none vessel:/', { exit: 1, stderr: /no such file or directory/ }),
  step('cp hold vessel:/tmp/note', {
    exit: 1,
    stderr: /cannot copy directory/,
    differs: { why: 'the client tells of its broken pipe, or is too late for it', in: ['stderr'] },
  }),
  step('cp hold/note vessel:/none/note', { exit: 1, stderr: /Could not find the file \/none in container vessel/ }),
  step('cp vessel:/etc/group none/group', {
    exit: 1,
    stderr: /invalid output path: directory "<directory>\/work\/none" does not exist/,
  }),
  // A file system
  step('export -o vessel.tar vessel'),
  step('export nosuch -o none.tar', { exit: 1, stderr: /No such container: nosuch/ }),
  step('import vessel.tar vessel:1', { stdout: 'sha256:<digest>\n' }),
  {
    args: ['import', '-m', 'flat', '-c', 'ENV A=b', '-c', 'CMD ["cat", "/tmp/note"]', 'vessel.tar', 'vessel:2'],
    stdout: 'sha256:<digest>\n',
  },
  step('run --rm vessel:1 cat /root/parcel', { stdout: 'from a tar\n' }),
  step('run --rm vessel:1', { exit: 125, stderr: /no command specified/, differs: { why: olderText, in: ['stderr'] } }),
  step('run --rm vessel:2', { stdout: 'cargo\n' }),
  step('image inspect --format {{.Config.Env}}|{{.Config.Cmd}}|{{.Comment}} vessel:2', {
    stdout: '[A=b]|[cat /tmp/note]|flat\n',
  }),
  { args: ['image', 'inspect', '--format', '{{len .RootFS.Layers}}', 'vessel:2'], stdout: '1\n' },
  step('import - vessel:3', {
    exit: 1,
    input: 'no archive at all',
    stderr: /unpack the new layer: the tar ends inside an entry/,
    differs: otherTar,
  }),
  step('import vessel.tar Vessel:1', { exit: 1, stderr: /must be lowercase/ }),
  // Images
  step('save -o both.tar busybox vessel:2'),
  step('rmi vessel:2', { stdout: 'Untagged: vessel:2\nDeleted: sha256:<digest>\n' }),
  step('load -i both.tar', { sorted: true, stdout: 'Loaded image: busybox:latest\nLoaded image: vessel:2' }),
  step('run --rm vessel:2', { stdout: 'cargo\n' }),
  step('load -q -i both.tar', { sorted: true, stdout: 'Loaded image: busybox:latest\nLoaded image: vessel:2' }),
  step('load -i nosuch.tar', { exit: 1, stderr: /no such file or directory/ }),
  step('load', {
    input: 'no archive at all',
    exit: 1,
    stderr: /unpack the archive: the tar ends inside an entry/,
    differs: otherTar,
  }),
  // An image with every change
  {
    args: [
      ...['commit', '-c', 'ENV B=c', '-c', 'LABEL kind=made', '-c', 'EXPOSE 80/udp', '-c', 'VOLUME /data'],
      ...['-c', 'WORKDIR /tmp', '-c', 'USER nobody', '-c', 'ENTRYPOINT ["cat"]', '-c', 'CMD ["note"]'],
      ...['-c', 'HEALTHCHECK --interval=5s CMD true', 'vessel', 'vessel:4'],
    ],
    stdout: 'sha256:<digest>\n',
  },
  {
    args: [
      'image',
      'inspect',
      '--format',
      '{{json .Config.ExposedPorts}}{{json .Config.Volumes}}{{json .Config.Labels}}',
      'vessel:4',
    ],
    stdout: '{"80/udp":{}}{"/data":{}}{"kind":"made"}\n',
  },
  {
    args: [
      'image',
      'inspect',
      '--format',
      '{{.Config.WorkingDir}} {{.Config.User}} {{.Config.Healthcheck.Test}}',
      'vessel:4',
    ],
    stdout: '/tmp nobody [CMD-SHELL true]\n',
  },
  step('run --rm vessel:4', { stdout: 'cargo\n' }),
  step('run --rm --entrypoint id vessel:4 -un', { stdout: 'nobody\n' }),
  step('commit vessel Bad:1', { exit: 1, stderr: /must be lowercase/ }),
  step('images --filter label=kind=made --format {{.Repository}}:{{.Tag}}', { stdout: 'vessel:4\n' }),
  step('images --filter before=vessel:4 --format {{.Repository}} busybox', { stdout: 'busybox\n' }),
  step('images vessel -q', { stdout: '<id>\n<id>\n<id>\n' }),
  step('rm -f vessel', { stdout: 'vessel\n' }),
  step('rmi vessel:1 vessel:2 vessel:4 nosuch', {
    exit: 1,
    stdout: /^Untagged: vessel:1\n/,
    stderr: /No such image: nosuch/,
  }),
];
