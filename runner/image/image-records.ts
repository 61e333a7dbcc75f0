import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { digest } from '#shared/digest.ts';
import type { Digest } from '#shared/digest.ts';
import { imageConfig } from '#shared/oci/image-config.ts';
import type { ImageConfig } from '#shared/oci/image-config.ts';
import type { ImageFacts } from './store.ts';

/** An image as runner.db holds it. */
export interface StoredImage extends ImageFacts {
  readonly config: ImageConfig;
  /** diffIDs, lowest first. */
  readonly layers: readonly Digest[];
}

/** One to be added; the config's text is kept to the byte, for its digest is the image's ID. */
export interface NewImage extends Omit<StoredImage, 'config'> {
  readonly configText: string;
}

const imageRow = z.object({
  id: z.string(),
  config: z.string(),
  layers: z.string(),
  size_bytes: z.int(),
  created_at_ms: z.int(),
});
const layerList = z.array(digest);

/** As many images are remembered as they were read. */
const MAX_KNOWN = 64;

/** The images' tables of runner.db, which nobody else writes. */
export class ImageRecords {
  readonly #database: DatabaseSync;
  /** What was read, by ID, until something changes: each start of a container asks for its image several times. */
  readonly #known = new Map<string, StoredImage>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Adds images and moves their references to them, all or nothing. An image that is there already keeps its row. */
  add(images: readonly NewImage[]): void {
    this.#known.clear();
    const insert = this.#database.prepare(
      'insert or ignore into images (id, config, layers, size_bytes, created_at_ms) values (?, ?, ?, ?, ?)',
    );
    const name = this.#database.prepare(
      'insert into image_references (reference, image_id) values (?, ?) on conflict (reference) do update set image_id = excluded.image_id',
    );
    this.#transaction(() => {
      for (const image of images) {
        insert.run(image.id, image.configText, JSON.stringify(image.layers), image.sizeBytes, image.createdAtMs);
        for (const reference of image.references) name.run(reference, image.id);
      }
    });
  }

  remove(id: string): void {
    this.#known.clear();
    this.#transaction(() => {
      this.#database.prepare('delete from image_references where image_id = ?').run(id);
      this.#database.prepare('delete from images where id = ?').run(id);
    });
  }

  /** Gives an image one more name, which another may have had. */
  addReference(reference: string, id: string): void {
    this.#known.clear();
    this.#database
      .prepare(
        'insert into image_references (reference, image_id) values (?, ?) on conflict (reference) do update set image_id = excluded.image_id',
      )
      .run(reference, id);
  }

  /** The config's JSON to the byte, by full ID. */
  configText(id: string): string | undefined {
    const row = this.#database.prepare('select config from images where id = ?').get(id);
    return row === undefined ? undefined : String(row['config']);
  }

  removeReference(reference: string): void {
    this.#known.clear();
    this.#database.prepare('delete from image_references where reference = ?').run(reference);
  }

  byReference(reference: string): StoredImage | undefined {
    const row = this.#database.prepare('select image_id from image_references where reference = ?').get(reference);
    return row === undefined ? undefined : this.byId(String(row['image_id']));
  }

  byId(id: string): StoredImage | undefined {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const row = this.#database.prepare('select * from images where id = ?').get(id);
    if (row === undefined) return undefined;
    const image = this.#image(row);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(id, image);
    return image;
  }

  /** By ID, or by the start of its digits when only one image has it. `prefix` holds hex digits alone. */
  byIdPrefix(prefix: string): StoredImage | undefined {
    const known = this.#known.get(`sha256:${prefix}`);
    if (known !== undefined) return known;
    const rows = this.#database
      .prepare('select id from images where id >= ? and id < ? limit 2')
      .all(`sha256:${prefix}`, `sha256:${prefix}g`);
    const [row] = rows;
    return row === undefined || rows.length > 1 ? undefined : this.byId(String(row['id']));
  }

  /** Newest first. */
  list(): readonly StoredImage[] {
    const rows = this.#database.prepare('select * from images order by created_at_ms desc, id').all();
    return rows.map((row) => this.#known.get(String(row['id'])) ?? this.#image(row));
  }

  /** diffIDs of all layers that some image is made of. */
  referencedLayers(): ReadonlySet<string> {
    const rows = this.#database.prepare('select layers from images').all();
    return new Set(rows.flatMap((row) => layerList.parse(JSON.parse(String(row['layers'])))));
  }

  #image(row: unknown): StoredImage {
    const { id, config, layers, size_bytes, created_at_ms } = imageRow.parse(row);
    const references = this.#database
      .prepare('select reference from image_references where image_id = ? order by reference')
      .all(id);
    return {
      id,
      references: references.map((reference) => String(reference['reference'])),
      config: imageConfig.parse(JSON.parse(config)),
      layers: layerList.parse(JSON.parse(layers)),
      sizeBytes: size_bytes,
      createdAtMs: created_at_ms,
    };
  }

  #transaction(work: () => void): void {
    this.#database.exec('begin immediate');
    try {
      work();
      this.#database.exec('commit');
    } catch (error) {
      this.#database.exec('rollback');
      throw error;
    }
  }
}
