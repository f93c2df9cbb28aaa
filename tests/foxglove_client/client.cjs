// Foxglove's own client: subscribes to the topics that it is told, prints all that it hears as JSON, a line each, and
// ends when it has as many messages as it was told.  node client.cjs URL SUBPROTOCOL COUNT [TOPIC …]
const { FoxgloveClient } = require("@foxglove/ws-protocol");
const WebSocket = require("ws");

const [url, subprotocol, count, ...topics] = process.argv.slice(2);
const socket = new WebSocket(url, [subprotocol]);
const client = new FoxgloveClient({ ws: socket });
const topicOf = new Map();
let left = Number(count);

const tell = (event, facts) => console.log(JSON.stringify({ event, ...facts }));

client.on("open", () => tell("open", { subprotocol: socket.protocol }));
client.on("error", (error) => tell("error", { message: String(error) }));
client.on("close", (event) => tell("close", { code: event.code }));
client.on("serverInfo", (info) => tell("serverInfo", { info }));
client.on("status", (status) => tell("status", { status }));
client.on("time", (time) => tell("time", { t: String(time.timestamp) }));
client.on("advertise", (channels) => {
  tell("advertise", { channels });
  for (const channel of channels) {
    if (topics.length === 0 || topics.includes(channel.topic)) {
      topicOf.set(client.subscribe(channel.id), channel.topic);
    }
  }
});
client.on("message", ({ subscriptionId, timestamp, data }) => {
  const text = new TextDecoder().decode(data);
  tell("message", { topic: topicOf.get(subscriptionId), t: String(timestamp), data: JSON.parse(text) });
  left -= 1;
  if (left === 0) {
    client.close();
  }
});
