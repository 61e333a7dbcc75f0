/**
 * Node's HTTP module, unimported: an import asks for each of its exports, and so loads the client behind its WebSocket,
 * which the runner has no use for: 10 MB.
 */
export const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http');
