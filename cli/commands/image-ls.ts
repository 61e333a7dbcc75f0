import { formatBytes } from '#shared/size.ts';
import { formatAge } from '../age.ts';
import { defineCommand } from '../command.ts';
import { formatTable } from '../table.ts';
import { familiarImage, shortImageId } from '../image-name.ts';

export const imageLs = defineCommand({
  name: 'image ls',
  summary: 'List the images that the hosts hold',
  async handler({ options, session: { terminal, connect } }) {
    const { images } = await (await connect()).images();
    if (options.json) return terminal.json({ images });
    const now = Date.now();
    const rows = images.map((image) => [
      image.references.map(familiarImage).join(', ') || '<none>',
      shortImageId(image.id),
      formatBytes(image.sizeBytes),
      image.createdAtMs === 0 ? '' : formatAge(image.createdAtMs, now),
      image.hosts.join(', '),
    ]);
    await terminal.write(formatTable(['image', 'id', 'size', 'age', 'hosts'], rows));
    if (images.length === 0) await terminal.note('None yet. Next: berth image load -i ARCHIVE');
  },
});
