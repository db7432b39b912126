// A function for Node.js: it greets, and streams when it is asked to.
export const handler = async (event, context) => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  cookies: ['seen=1; Path=/; HttpOnly'],
  body: JSON.stringify({
    hello: event.queryStringParameters?.name ?? 'world',
    method: event.requestContext.http.method,
    id: context.awsRequestId,
  }),
});

// count answers bit by bit: clients see each line as it is written.
export const count = awslambda.streamifyResponse(async (event, stream) => {
  const out = awslambda.HttpResponseStream.from(stream, {
    statusCode: 200,
    headers: { 'content-type': 'text/plain' },
  });
  for (let i = 1; i <= 3; i++) {
    out.write(`${i}\n`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  out.end();
});
