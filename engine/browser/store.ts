/** Files that a browser keeps for a page: its origin's private file system, or memory where there is none. */
export interface Store {
  /** Bytes that are there; 0 where there is no such file. */
  readonly size: (name: string) => Promise<number>;
  readonly read: (name: string, from: number, to: number) => Promise<Uint8Array>;
  readonly append: (name: string, bytes: Uint8Array) => Promise<void>;
  readonly remove: (name: string) => Promise<void>;
  /** Whether another visit finds what is kept now. */
  readonly lasting: boolean;
}

export function memory_store(): Store {
  const files = new Map<string, Uint8Array>();
  return {
    lasting: false,
    size: async (name) => files.get(name)?.length ?? 0,
    read: async (name, from, to) => (files.get(name) ?? new Uint8Array()).slice(from, to),
    append: async (name, bytes) => {
      const before = files.get(name) ?? new Uint8Array();
      const all = new Uint8Array(before.length + bytes.length);
      all.set(before);
      all.set(bytes, before.length);
      files.set(name, all);
    },
    remove: async (name) => void files.delete(name),
  };
}

/** Workers alone have these handles, which write in place: what has come is there even if the page is closed. */
interface SyncHandle {
  readonly write: (bytes: Uint8Array, options: { at: number }) => number;
  readonly getSize: () => number;
  readonly flush: () => void;
  readonly close: () => void;
}
type WithSyncHandle = FileSystemFileHandle & { readonly createSyncAccessHandle?: () => Promise<SyncHandle> };

/** The folder of this name in the origin's private file system; others beside it, of earlier versions, are removed. */
export async function open_store(parent: string, name: string): Promise<Store> {
  try {
    const root = await navigator.storage.getDirectory();
    const above = await root.getDirectoryHandle(parent, { create: true });
    const folder = await above.getDirectoryHandle(name, { create: true });
    for await (const other of (above as unknown as { keys: () => AsyncIterable<string> }).keys()) {
      if (other !== name) await above.removeEntry(other, { recursive: true }).catch(() => undefined);
    }
    const trial = (await folder.getFileHandle('.trial', { create: true })) as WithSyncHandle;
    if (trial.createSyncAccessHandle === undefined) return memory_store();
    return opfs_store(folder);
  } catch {
    return memory_store(); // private windows have none: then each visit downloads again
  }
}

function opfs_store(folder: FileSystemDirectoryHandle): Store {
  const file = async (name: string): Promise<File | undefined> => {
    try {
      return await (await folder.getFileHandle(name)).getFile();
    } catch (error) {
      if ((error as Error).name === 'NotFoundError') return undefined;
      throw error;
    }
  };
  return {
    lasting: true,
    size: async (name) => (await file(name))?.size ?? 0,
    read: async (name, from, to) => {
      const found = await file(name);
      return found === undefined ? new Uint8Array() : new Uint8Array(await found.slice(from, to).arrayBuffer());
    },
    append: async (name, bytes) => {
      const handle = (await folder.getFileHandle(name, { create: true })) as Required<WithSyncHandle>;
      const open = await handle.createSyncAccessHandle();
      try {
        open.write(bytes, { at: open.getSize() });
        open.flush();
      } finally {
        open.close();
      }
    },
    remove: async (name) => {
      await folder.removeEntry(name).catch(() => undefined);
    },
  };
}
