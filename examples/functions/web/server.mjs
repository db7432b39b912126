// A web server as a function: nothing in it knows of events.
import http from 'node:http';

http
  .createServer((request, response) => {
    let size = 0;
    request.on('data', (part) => { size += part.length; });
    request.on('end', () => {
      response.setHeader('set-cookie', ['a=1', 'b=2']);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ method: request.method, url: request.url, cookie: request.headers.cookie, host: request.headers.host, size }));
    });
  })
  .listen(process.env.PORT, '127.0.0.1');
