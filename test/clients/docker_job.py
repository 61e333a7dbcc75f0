"""
A job of many steps against a container engine, by docker-py: docker_job.py IMAGE_ARCHIVE. The engine is named by
DOCKER_HOST. Prints one JSON object: what each step saw, or the error that it met. The steps share a few containers.
"""
import io
import json
import sys
import tarfile
import threading
import time

import docker
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound

DEADLINE_S = 120
client = docker.from_env(timeout=DEADLINE_S)
steps = {}
seen = {}


def step(work):
    """Runs a step and keeps what it returned, or how it failed: the others go on."""
    try:
        steps[work.__name__] = work()
    except Exception as error:  # told to the test, which fails by it
        steps[work.__name__] = {'error': f'{type(error).__name__}: {error}'}


def until(look):
    """The first true answer."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(look.__name__)
        time.sleep(0.05)


def refused(call, *args, **kwargs):
    """The status of the error that a call must meet."""
    try:
        call(*args, **kwargs)
    except APIError as error:
        return [type(error).__name__, error.response.status_code]
    return 'not refused'


events = []
source = client.events(decode=True)


def collect():
    try:
        for event in source:
            events.append(event)
    except Exception:
        pass  # closed at the end


collector = threading.Thread(target=collect, daemon=True)
collector.start()


@step
def system():
    version = client.version()
    info = client.info()
    return {'ping': client.ping(), 'os': version['Os'], 'containers': info['Containers'], 'driver': bool(info['Driver'])}


@step
def load():
    with open(sys.argv[1], 'rb') as archive:
        images = client.images.load(archive.read())
    image = client.images.get('busybox:latest')
    image.tag('job/base', tag='1')
    return {
        'tags': [image.tags for image in images],
        'found': sorted(client.images.get('job/base:1').tags),
        'missing': refused(client.images.get, 'nosuch:1'),
    }


@step
def network_and_volume():
    network = client.networks.create('job-net', driver='bridge', labels={'job': 'yes'}, check_duplicate=True)
    volume = client.volumes.create('job-vol', labels={'job': 'yes'})
    seen['network'] = network
    return {
        'network': [one.name for one in client.networks.list(filters={'label': 'job=yes'})],
        'volume': [one.name for one in client.volumes.list(filters={'label': 'job=yes'})],
        'driver': [network.attrs['Driver'], volume.attrs['Driver']],
        'taken': refused(client.networks.create, 'job-net', check_duplicate=True),
    }


@step
def run_to_the_end():
    both = client.containers.run('busybox', ['sh', '-c', 'echo out; sleep 0.2; echo err >&2'], stderr=True, remove=True)
    streamed = client.containers.run('busybox', ['sh', '-c', 'for n in 1 2 3; do echo $n; done'], stream=True, remove=True)
    lines = [line.decode() for line in streamed]
    try:
        client.containers.run('busybox', ['sh', '-c', 'echo wrong >&2; exit 3'], remove=True)
        failed = None
    except ContainerError as error:
        failed = [error.exit_status, error.stderr.decode()]
    try:
        client.containers.run('nosuch', 'true')
        image = None
    except ImageNotFound:
        image = 'ImageNotFound'
    except APIError as error:  # an engine that cannot pull says so
        image = error.response.status_code
    return {'both': both.decode(), 'lines': lines, 'failed': failed, 'image': image is not None}


@step
def serve():
    web = client.containers.run(
        'busybox',
        ['sh', '-c', 'echo served > /data/index.html; exec httpd -f -p 80 -h /data'],
        name='job-web',
        detach=True,
        network='job-net',
        volumes={'job-vol': {'bind': '/data', 'mode': 'rw'}},
        environment={'GREETING': 'ahoy'},
        labels={'job': 'yes'},
        ports={'80/tcp': None},
        stop_signal='SIGKILL',
    )
    seen['web'] = web
    until(lambda: web.exec_run(['wget', '-q', '-O', '-', 'http://127.0.0.1/']).exit_code == 0)
    web.reload()
    inspected = web.attrs
    return {
        'status': web.status,
        'listed': [one.name for one in client.containers.list(filters={'label': 'job=yes'})],
        'mounts': [[one['Type'], one['Name'], one['Destination']] for one in inspected['Mounts']],
        'networks': sorted(inspected['NetworkSettings']['Networks']),
        'published': len(web.ports['80/tcp']) > 0,
    }


@step
def names():
    fetched = client.containers.run('busybox', 'wget -q -O - http://job-web/', network='job-net', remove=True)
    kept = client.containers.run('busybox', 'cat /data/index.html', volumes={'job-vol': {'bind': '/data', 'mode': 'ro'}}, remove=True)
    return {'fetched': fetched.decode(), 'kept': kept.decode()}


@step
def connect():
    other = client.containers.run('busybox', ['sleep', '600'], name='job-other', detach=True)
    seen['other'] = other
    network = seen['network']
    network.connect(other, aliases=['second'])
    code, answer = other.exec_run(['wget', '-q', '-O', '-', 'http://job-web/'])
    reached = seen['web'].exec_run(['ping', '-c', '1', 'second']).exit_code
    network.disconnect(other)
    other.reload()
    gone = seen['web'].exec_run(['ping', '-c', '1', '-W', '1', 'second']).exit_code
    return {
        'answer': [code, answer.decode()],
        'reached': reached,
        'networks': sorted(other.attrs['NetworkSettings']['Networks']),
        'gone': gone != 0,
    }


@step
def execute():
    web = seen['web']
    code, output = web.exec_run(['sh', '-c', 'echo $GREETING $EXTRA $(id -u) $PWD; exit 4'], environment={'EXTRA': 'x'}, user='nobody', workdir='/tmp')
    _, (out, err) = web.exec_run(['sh', '-c', 'echo o; echo e >&2'], demux=True)
    _, stream = web.exec_run(['sh', '-c', 'for n in 1 2 3; do echo $n; sleep 0.1; done'], stream=True)
    _, sock = web.exec_run(['cat'], stdin=True, socket=True)
    raw = sock._sock
    raw.sendall(b'through\n')
    raw.shutdown(1)
    echoed = b''
    while True:
        piece = raw.recv(4096)
        if not piece:
            break
        echoed += piece
    sock.close()
    return {
        'plain': [code, output.decode()],
        'demux': [out.decode(), err.decode()],
        'stream': b''.join(stream).decode(),
        'socket': echoed[8:].decode(),
    }


@step
def logs():
    chatty = client.containers.run(
        'busybox', ['sh', '-c', 'for n in 1 2 3 4 5; do echo line $n; done; sleep 0.5; echo last >&2; sleep 0.5; echo late; echo later'], detach=True, name='job-chatty'
    )
    followed = [line.decode() for line in chatty.logs(stream=True, follow=True)]
    tail = chatty.logs(tail=2, stderr=False).decode()
    errors = chatty.logs(stdout=False).decode()
    stamped = chatty.logs(timestamps=True, tail=1).decode()
    chatty.remove()
    return {'followed': ''.join(followed), 'tail': tail, 'errors': errors, 'stamped': stamped}


@step
def attach():
    reader = client.containers.create('busybox', ['sh', '-c', 'read line; echo got $line'], stdin_open=True, detach=True)
    sock = reader.attach_socket(params={'stdin': 1, 'stdout': 1, 'stream': 1})
    reader.start()
    sock._sock.sendall(b'a line\n')
    code = reader.wait(timeout=DEADLINE_S)
    output = reader.logs().decode()
    sock.close()
    reader.remove()
    return {'wait': code['StatusCode'], 'output': output}


@step
def archives():
    web = seen['web']
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w') as archive:
        member = tarfile.TarInfo('cargo/note.txt')
        data = b'written from outside\n'
        member.size = len(data)
        member.mode = 0o640
        archive.addfile(member, io.BytesIO(data))
    put = web.put_archive('/tmp', packed.getvalue())
    inside = web.exec_run(['sh', '-c', 'cat /tmp/cargo/note.txt; stat -c %a /tmp/cargo/note.txt']).output.decode()
    stream, stat = web.get_archive('/tmp/cargo')
    got = io.BytesIO(b''.join(stream))
    with tarfile.open(fileobj=got) as archive:
        listed = sorted(archive.getnames())
        text = archive.extractfile('cargo/note.txt').read().decode()
    return {
        'put': put,
        'inside': inside,
        'stat': stat['name'],
        'listed': listed,
        'text': text,
        'missing': refused(web.get_archive, '/nosuch'),
    }


@step
def stats_and_top():
    web = seen['web']
    one = web.stats(stream=False)
    stream = web.stats(stream=True, decode=True)
    second = next(stream)
    stream.close()
    top = web.top()
    return {
        'keys': all(key in one for key in ('cpu_stats', 'memory_stats', 'pids_stats', 'networks')),
        'id': second['id'] == web.id if 'id' in second else 'read' in second,
        'processes': [row[-1] for row in top['Processes']],
    }


@step
def commit():
    web = seen['web']
    kinds = {change['Path']: change['Kind'] for change in web.diff()}
    image = web.commit(repository='job/kept', tag='1', message='with a note', author='a job', changes=['ENV KEPT=yes', 'CMD ["cat", "/tmp/cargo/note.txt"]'])
    output = client.containers.run('job/kept:1', remove=True).decode()
    environment = client.containers.run('job/kept:1', 'env', remove=True).decode()
    history = image.history()
    client.images.remove('job/kept:1')
    return {
        'diff': kinds.get('/tmp/cargo/note.txt'),
        'output': output,
        'environment': 'KEPT=yes' in environment and 'GREETING=ahoy' in environment,
        'comment': history[0]['Comment'],
        'removed': refused(client.images.get, 'job/kept:1'),
    }


@step
def lifecycle():
    web = seen['web']
    web.rename('job-renamed')
    web.pause()
    web.reload()
    paused = web.status
    web.unpause()
    web.restart(timeout=1)
    web.reload()
    restarted = [web.name, web.status]
    web.kill('SIGKILL')
    code = web.wait(timeout=DEADLINE_S)['StatusCode']
    web.reload()
    killed = web.status
    again = refused(web.kill)
    web.start()
    web.stop(timeout=1)
    web.reload()
    return {'paused': paused, 'restarted': restarted, 'code': code, 'killed': killed, 'again': again, 'stopped': web.status}


@step
def wait_for_the_end():
    short = client.containers.run('busybox', ['sh', '-c', 'sleep 0.3; exit 6'], detach=True)
    code = short.wait(timeout=DEADLINE_S, condition='not-running')['StatusCode']
    # The head of the answer says that the engine waits; its body comes at the removal. `wait` returns with the body alone.
    url = client.api._url('/containers/{0}/wait', short.id)
    waiting = client.api._post(url, params={'condition': 'removed'}, stream=True)
    short.remove()
    return {'code': code, 'removed': waiting.json()['StatusCode']}


@step
def remove():
    busy = refused(client.networks.get('job-net').remove) if 'other' in seen and not seen['network'].connect(seen['other']) else None
    for name in ('web', 'other'):
        seen[name].remove(force=True, v=True)
    seen['network'].remove()
    client.volumes.get('job-vol').remove()
    client.images.remove('job/base:1')
    return {
        'busy': busy,
        'container': refused(client.containers.get, 'job-renamed'),
        'network': refused(client.networks.get, 'job-net'),
        'volume': refused(client.volumes.get, 'job-vol'),
        'left': [one.name for one in client.containers.list(all=True)],
        'not_found': issubclass(NotFound, APIError),
    }


@step
def told_events():
    def destroyed():
        return any(event.get('Action') == 'destroy' and event['Actor']['Attributes'].get('name') == 'job-renamed' for event in events)

    until(destroyed)
    source.close()
    own = [event['Action'] for event in events if event.get('Actor', {}).get('ID') == seen['web'].id]
    kinds = sorted({event['Type'] for event in events})
    codes = [event['Actor']['Attributes'].get('exitCode') for event in events if event['Action'] == 'die']
    return {'own': [action for action in own if not action.startswith('exec_') and action not in ('top',)], 'kinds': kinds, 'codes': sorted(set(codes))}


print(json.dumps(steps))
