/** A model hub on localhost with the API, redirects and headers of the real one, and faults to order. */
import { createHash } from 'node:crypto';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeFile {
  readonly content: Buffer;
  /** Kept in large-file storage: sha256 etag, served by redirect from a second server. */
  readonly large?: boolean;
}

export interface SeenRequest {
  readonly server: 'hub' | 'storage';
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** What to do with a request for a file's bytes instead of answering well. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> }
  /** Break the connection after so many bytes of the body. */
  | { readonly kind: 'drop'; readonly after: number }
  /** Send so many bytes, then nothing more. */
  | { readonly kind: 'stall'; readonly after: number }
  | { readonly kind: 'ignore-range' }
  /** Other bytes of the same length. */
  | { readonly kind: 'damage' }
  /** A whole body of another size; `chunked` hides the size until the end. */
  | { readonly kind: 'other-size'; readonly bytes: number; readonly chunked?: boolean };

export class FakeHub {
  /** Set by `start`. */
  endpoint = '';
  readonly requests: SeenRequest[] = [];
  /** Faults of coming requests for bytes, by file; each is used once. */
  readonly faults = new Map<string, Fault[]>();
  /** Token that the API demands, if any. */
  token: string | undefined;
  /** Status of every API answer instead of the right one. */
  apiFault: { status: number; headers?: Record<string, string> } | undefined;
  revisions: Record<string, string> = { main: 'a'.repeat(40) };
  readonly #hub = http.createServer((request, response) => this.#api(request, response));
  readonly #storage = http.createServer((request, response) => this.#store(request, response));

  constructor(
    readonly id: string,
    readonly files: Map<string, FakeFile>,
    readonly kind: 'models' | 'datasets' = 'models',
  ) {}

  async start(): Promise<void> {
    for (const server of [this.#hub, this.#storage]) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
    this.endpoint = `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#storage]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  fileRequests(file: string): SeenRequest[] {
    return this.requests.filter(({ path }) => path.endsWith(`/${file}`) && !path.startsWith('/api/'));
  }

  #note(server: SeenRequest['server'], request: http.IncomingMessage): string {
    const path = new URL(request.url!, 'http://x').pathname;
    const { range, authorization } = request.headers;
    this.requests.push({ server, path, range, authorization });
    return path;
  }

  #api(request: http.IncomingMessage, response: http.ServerResponse): http.ServerResponse {
    const path = this.#note('hub', request);
    const authorised = this.token === undefined || request.headers.authorization === `Bearer ${this.token}`;
    if (this.apiFault !== undefined) return refuse(response, this.apiFault.status, this.apiFault.headers);
    if (!authorised) return refuse(response, 401, { 'x-error-code': 'GatedRepo' });
    const revision = new RegExp(`^/api/${this.kind}/${this.id}/revision/(.+)$`).exec(path)?.[1];
    if (revision !== undefined) {
      const name = decodeURIComponent(revision);
      const commit = this.revisions[name] ?? Object.values(this.revisions).find((hash) => hash === name);
      if (commit === undefined) return refuse(response, 404, { 'x-error-code': 'RevisionNotFound' });
      return json(response, { id: this.id, sha: commit });
    }
    const tree = new RegExp(`^/api/${this.kind}/${this.id}/tree/[0-9a-f]{40}/?(.*)$`).exec(path);
    if (tree !== null) return this.#tree(request, response, tree[1]!);
    const home = this.kind === 'models' ? this.id : `datasets/${this.id}`;
    const file = new RegExp(`^/${home}/resolve/[0-9a-f]{40}/(.+)$`).exec(path)?.[1];
    const found = file === undefined ? undefined : this.files.get(file);
    if (file === undefined || found === undefined)
      return refuse(response, 404, { 'x-error-code': 'RepoNotFound' });
    if (found.large !== true) return this.#bytes(request, response, file, found.content);
    const { port } = this.#storage.address() as AddressInfo;
    // localhost and 127.0.0.1 are different origins, like the hub and its storage.
    response.writeHead(302, {
      location: `http://localhost:${port}/${file}`,
      'x-linked-size': String(found.content.length),
      'x-linked-etag': `"${sha256(found.content)}"`,
    });
    return response.end();
  }

  /** Two entries a page, to exercise paging. */
  #tree(request: http.IncomingMessage, response: http.ServerResponse, folder: string): http.ServerResponse {
    const entries = [...this.files]
      .filter(([path]) => path.split('/').slice(0, -1).join('/') === folder)
      .map(([path, { content, large }]) => ({
        type: 'file',
        path,
        size: content.length,
        oid: gitHash(content),
        ...(large === true ? { lfs: { oid: sha256(content), size: content.length, pointerSize: 130 } } : {}),
      }));
    const listed = [{ type: 'directory', path: `${folder}images`, oid: '0'.repeat(40), size: 0 }, ...entries];
    const url = new URL(request.url!, this.endpoint);
    const at = Number(url.searchParams.get('cursor') ?? 0);
    if (at + 2 < listed.length) {
      url.searchParams.set('cursor', String(at + 2));
      response.setHeader('link', `<${url.href}>; rel="next"`);
    }
    return json(response, listed.slice(at, at + 2));
  }

  #store(request: http.IncomingMessage, response: http.ServerResponse): http.ServerResponse {
    const file = this.#note('storage', request).slice(1);
    return this.#bytes(request, response, file, this.files.get(file)!.content);
  }

  #bytes(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    file: string,
    content: Buffer,
  ): http.ServerResponse {
    const fault = this.#take(file);
    if (fault?.kind === 'status') return refuse(response, fault.status, fault.headers);
    if (fault?.kind === 'other-size') {
      response.writeHead(200, fault.chunked === true ? {} : { 'content-length': fault.bytes });
      return response.end(Buffer.alloc(fault.bytes));
    }
    const asked =
      fault?.kind === 'ignore-range' ? undefined : /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
    const start = Number(asked ?? 0);
    if (start > 0 && start >= content.length) return refuse(response, 416);
    const body =
      fault?.kind === 'damage' ? Buffer.alloc(content.length, 7).subarray(start) : content.subarray(start);
    response.writeHead(asked === undefined ? 200 : 206, {
      'content-length': body.length,
      ...(asked === undefined
        ? {}
        : { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` }),
    });
    if (fault?.kind === 'drop' || fault?.kind === 'stall') {
      response.write(body.subarray(0, fault.after), () => {
        if (fault.kind === 'drop') setTimeout(() => response.destroy(), 20);
      });
      return response;
    }
    return response.end(body);
  }

  #take(file: string): Fault | undefined {
    return this.faults.get(file)?.shift();
  }
}

function refuse(
  response: http.ServerResponse,
  status: number,
  headers: Record<string, string> = {},
): http.ServerResponse {
  response.writeHead(status, headers);
  return response.end('refused');
}

function json(response: http.ServerResponse, value: unknown): http.ServerResponse {
  response.setHeader('content-type', 'application/json');
  return response.end(JSON.stringify(value));
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

export function gitHash(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}
