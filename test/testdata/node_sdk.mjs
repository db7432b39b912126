// The AWS SDK for JavaScript: its client of STS, and by the session that this
// gives its client of an API of API Gateway's own. Prints what is answered: a line
// of JSON for each call.
import { createRequire } from "node:module";

const [api, sts, key, secret, modules] = process.argv.slice(2);
const require = createRequire(modules + "/");
const { STSClient, GetCallerIdentityCommand, AssumeRoleCommand } = require("@aws-sdk/client-sts");
const { ApiGatewayManagementApiClient, PostToConnectionCommand, GetConnectionCommand } = require("@aws-sdk/client-apigatewaymanagementapi");

const options = (endpoint, credentials) => ({ endpoint, credentials, region: "eu-central-1", maxAttempts: 1 });

const call = async (client, command) => {
  const what = command.constructor.name;
  try {
    const answer = await client.send(command);
    console.log(JSON.stringify({ what, status: answer.$metadata.httpStatusCode, message: "" }));
    return answer;
  } catch (error) {
    console.log(JSON.stringify({ what, status: error.$metadata?.httpStatusCode ?? 0, message: `${error.name}: ${error.message}` }));
  }
};

const user = new STSClient(options(sts, { accessKeyId: key, secretAccessKey: secret }));
await call(user, new GetCallerIdentityCommand({}));
const role = { RoleArn: "arn:aws:iam::123456789012:role/deploy", RoleSessionName: "js" };
const { Credentials: c } = await call(user, new AssumeRoleCommand({ ...role, ExternalId: "partner-1", DurationSeconds: 900, Tags: [{ Key: "team", Value: "blue sky" }] }));
const session = { accessKeyId: c.AccessKeyId, secretAccessKey: c.SecretAccessKey, sessionToken: c.SessionToken };
await call(new STSClient(options(sts, session)), new GetCallerIdentityCommand({}));
const connections = new ApiGatewayManagementApiClient(options(api, session));
await call(connections, new PostToConnectionCommand({ ConnectionId: "L0SM9cOFvHcCIhw=", Data: "hello" }));
await call(connections, new GetConnectionCommand({ ConnectionId: "L0SM9cOFvHcCIhw=" }));

// What is refused has AWS's name in this SDK too.
const refused = await user.send(new AssumeRoleCommand(role)).catch((error) => error);
console.log(JSON.stringify({ what: "no external id", status: refused.name === "AccessDenied" && refused.$metadata.httpStatusCode === 403 ? 200 : 0, message: String(refused) }));
