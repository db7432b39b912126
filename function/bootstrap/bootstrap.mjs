// What runs handlers for Node.js: a client of the Runtime API that loads
// FILE.FUNCTION from the code and calls it as AWS Lambda does. It takes async
// functions, callbacks and awslambda.streamifyResponse.
import http from 'node:http';
import path from 'node:path';
import fs from 'node:fs';
import { Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

const env = process.env;
const [host, port] = env.AWS_LAMBDA_RUNTIME_API.split(':');
const base = '/2018-06-01/runtime/';
const loops = Number(env.AWS_LAMBDA_MAX_CONCURRENCY || 1);
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity, noDelay: true });
const streaming = Symbol.for('gatehouse.lambda.streaming');
const preludeType = 'application/vnd.awslambda.http-integration-response';
const running = new Set();

function open(method, where, headers, answered) {
  const request = http.request({ host, port, agent, method, path: base + where, headers });
  const ended = new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    });
  });
  return { request, ended };
}

async function call(method, where, body, headers = {}) {
  const payload = body === undefined ? undefined : Buffer.from(body);
  if (payload) headers['Content-Length'] = payload.length;
  const { request, ended } = open(method, where, headers);
  request.end(payload);
  return ended;
}

function describe(error) {
  if (error instanceof Error || (error && typeof error === 'object' && 'message' in error && 'stack' in error)) {
    return {
      errorType: String(error.name || 'Error'),
      errorMessage: String(error.message),
      trace: String(error.stack || '').split('\n'),
    };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

async function report(where, error) {
  const told = describe(error);
  console.error(JSON.stringify(told));
  await call('POST', where, JSON.stringify(told), {
    'Content-Type': 'application/json',
    'Lambda-Runtime-Function-Error-Type': told.errorType.replace(/[^\x21-\x7e]/g, '?'),
  });
}

// ResponseStream is what a streaming handler writes its answer to. The request to
// the Runtime API begins with the first byte, since until then its head may change.
class ResponseStream extends Writable {
  constructor(id) {
    super();
    this.id = id;
    this.type = 'application/octet-stream';
  }
  setContentType(type) { this.type = type; }
  begin() {
    if (this.request) return;
    const { request, ended } = open('POST', `invocation/${this.id}/response`, {
      'Content-Type': this.type,
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      'Transfer-Encoding': 'chunked',
      Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
    });
    request.on('error', (error) => this.destroy(error));
    this.request = request;
    this.answered = ended;
    const first = this._onBeforeFirstWrite;
    if (first) first((part) => request.write(part));
  }
  _write(part, _encoding, done) {
    this.begin();
    this.request.write(part, done);
  }
  _final(done) {
    this.begin();
    this.request.end(done);
  }
  fail(error) {
    const told = describe(error);
    console.error(JSON.stringify(told));
    this.begin();
    this.request.addTrailers({
      'Lambda-Runtime-Function-Error-Type': told.errorType.replace(/[^\x21-\x7e]/g, '?'),
      'Lambda-Runtime-Function-Error-Body': Buffer.from(JSON.stringify(told)).toString('base64'),
    });
    this.request.end();
  }
}

globalThis.awslambda = {
  streamifyResponse(handler, _options) {
    handler[streaming] = true;
    return handler;
  },
  HttpResponseStream: {
    from(underlying, metadata) {
      underlying.setContentType(preludeType);
      underlying._onBeforeFirstWrite = (write) => {
        write(JSON.stringify(metadata));
        write(new Uint8Array(8));
      };
      return underlying;
    },
  },
};

function failure(type, message) {
  const error = new Error(message);
  error.name = type;
  return error;
}

async function load() {
  const root = env.LAMBDA_TASK_ROOT;
  const { dir, base: last } = path.posix.parse(env._HANDLER);
  const dot = last.indexOf('.');
  const stem = path.join(root, dir, last.slice(0, dot));
  const file = ['.js', '.mjs', '.cjs'].map((end) => stem + end).find((f) => fs.existsSync(f));
  if (!file) throw failure('Runtime.ImportModuleError', `the code holds no ${path.relative(root, stem)}.js, .mjs or .cjs`);
  const module = await import(pathToFileURL(file).href);
  const names = last.slice(dot + 1).split('.');
  for (const from of [module, module.default]) {
    const found = names.reduce((at, name) => (at === undefined || at === null ? undefined : at[name]), from);
    if (typeof found === 'function') return found;
  }
  throw failure('Runtime.HandlerNotFound', `${env._HANDLER} is no function`);
}

function contextOf(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const client = headers['lambda-runtime-client-context'];
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    clientContext: client ? JSON.parse(client) : undefined,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

// run calls a handler that answers as a whole: by what it returns, or by a
// callback where it returns no promise and takes one.
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    const callback = (error, result) => (error === undefined || error === null ? resolve(result) : reject(error));
    context.done = callback;
    context.succeed = resolve;
    context.fail = reject;
    const returned = handler(event, context, callback);
    if (returned && typeof returned.then === 'function') returned.then(resolve, reject);
    else if (returned !== undefined || handler.length < 3) resolve(returned);
  });
}

async function stream(handler, event, context) {
  const answer = new ResponseStream(context.awsRequestId);
  const closed = new Promise((resolve) => answer.on('close', resolve));
  answer.on('error', () => {});
  try {
    await handler(event, answer, context);
  } catch (error) {
    if (!answer.request) return report(`invocation/${context.awsRequestId}/error`, error);
    answer.fail(error);
    return answer.answered;
  }
  if (!answer.writableEnded) answer.end();
  await closed;
  return answer.answered;
}

async function once(handler) {
  const { status, headers, body } = await call('GET', 'invocation/next');
  if (status !== 200) throw failure('Runtime.Protocol', `next answered ${status}`);
  const id = headers['lambda-runtime-aws-request-id'];
  if (loops === 1) env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'] || '';
  running.add(id);
  try {
    const event = JSON.parse(body.toString());
    const context = contextOf(headers);
    if (handler[streaming]) {
      await stream(handler, event, context);
      return;
    }
    let result;
    try {
      result = await run(handler, event, context);
      result = JSON.stringify(result === undefined ? null : result);
      if (result === undefined) throw failure('Runtime.MarshalError', 'the result cannot be written as JSON');
    } catch (error) {
      await report(`invocation/${id}/error`, error);
      return;
    }
    await call('POST', `invocation/${id}/response`, result, { 'Content-Type': 'application/json' });
  } finally {
    running.delete(id);
  }
}

async function loop(handler) {
  for (;;) await once(handler);
}

// What nobody caught ends the process, after every invoke that it had was told.
async function fatal(error) {
  try {
    await Promise.all([...running].map((id) => report(`invocation/${id}/error`, error)));
  } finally {
    process.exit(1);
  }
}
process.on('uncaughtException', fatal);
process.on('unhandledRejection', fatal);

let handler;
try {
  handler = await load();
} catch (error) {
  try {
    await report('init/error', error);
  } finally {
    process.exit(1);
  }
}
for (let i = 0; i < loops; i++) loop(handler).catch(() => process.exit(running.size ? 1 : 0));
