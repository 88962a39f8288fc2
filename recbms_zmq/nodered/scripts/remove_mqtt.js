// On Message: removes from the broker what this flow has published for Home Assistant.
//
// In:  msg.control = 'remove'  the button; msg.payload is the id of a BMS, or empty for all;
//      a retained configuration of Home Assistant's MQTT discovery;
//      msg.control = 'listed'  all of them have arrived.
// Out: 1. to the broker: empty retained messages;
//      2. {control: 'removed'} for *Only what changed*;
//      3. to the node that subscribes.

const empty = (topic) => ({ topic, payload: '', qos: 1, retain: true });
const configurations = `${env.get('MQTT_DISCOVERY_PREFIX')}/+/+/config`;

if (msg.control === 'remove') {
    context.set('device', String(msg.payload ?? '').trim());
    context.set('topics', []);
    node.status({ fill: 'yellow', shape: 'dot', text: 'removing' });
    return [null, { control: 'removed' }, { action: 'subscribe', topic: configurations, qos: 1 }];
}
if (msg.control === 'listed') {
    const topics = context.get('topics') ?? [];
    const count = topics.filter((topic) => topic.endsWith('/config')).length;
    node.status({ fill: 'grey', shape: 'dot', text: `removed: ${count} entities` });
    return [[...new Set(topics)].map(empty), null, { action: 'unsubscribe', topic: configurations }];
}

let config;
try {
    config = JSON.parse(msg.payload);
} catch {
    return null;
}
const id = config.device?.identifiers?.[0] ?? '';
const device = context.get('device');
if (config.origin?.name === 'recbms-zmq' && (!device || id === `recbms_${device}`)) {
    context.get('topics').push(msg.topic, config.state_topic, config.availability[0].topic);
}
return null;
