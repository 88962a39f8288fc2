// On Message: removes from the broker what this flow has published for Home Assistant.
//
// In:  msg.control = 'remove'      the button; msg.payload is the id of a BMS, or empty for all;
//      msg.control = 'subscribed'  the node that subscribes has done so, or has unsubscribed;
//      a retained configuration of Home Assistant's MQTT discovery;
//      the message on the topic `last`.
// Out: 1. to the broker: the message on `last`, then empty retained messages;
//      2. {control: 'removed'} for *Only what changed*;
//      3. to the node that subscribes.
//
// A broker sends the retained messages of a subscription before those that are published later. So
// when the message on `last` comes back, all configurations have arrived. QoS 0 keeps this order for
// any number of messages; for QoS 1 and 2 mosquitto queues 1,000 and drops the rest. While it has not
// come back, it is published again, for a minute: the broker may be away.

const empty = (topic) => ({ topic, payload: '', qos: 1, retain: true });
const configurations = `${env.get('MQTT_DISCOVERY_PREFIX')}/+/+/config`;
const last = `${env.get('MQTT_STATUS_TOPIC')}/listed`;
const unsubscribe = { action: 'unsubscribe', topic: true };
const NO_ANSWER_MS = 60000;
const ASK_AGAIN_MS = 5000; // what is published while the broker is away is lost

/* later.js */

function ask() {
    node.send([{ topic: last, payload: 'listed', qos: 0, retain: false }, null, null]);
    context.set('cancelAsking', later(ask, ASK_AGAIN_MS));
}

function stopAsking() {
    context.get('cancelLimit')?.();
    context.get('cancelAsking')?.();
}

function showStatus(fill, text) {
    node.status({ fill, shape: 'dot', text });
}

if (msg.control === 'remove') {
    context.set('device', String(msg.payload ?? '').trim());
    context.set('topics', new Set());
    showStatus('yellow', 'removing');
    stopAsking();
    context.set('cancelLimit', later(() => {
        stopAsking();
        context.set('topics', null);
        node.send([null, null, unsubscribe]);
        showStatus('red', `no answer of the broker: is it there, and may this user publish and subscribe to ${last}? Then press again`);
    }, NO_ANSWER_MS));
    const topic = [configurations, last].map((each) => ({ topic: each, qos: 0 }));
    return [null, { control: 'removed' }, { action: 'subscribe', topic }];
}
const topics = context.get('topics');
if (!topics) {
    return null; // the removal has ended
}
if (msg.control === 'subscribed') {
    ask();
    return null;
}
if (msg.topic === last) {
    stopAsking();
    context.set('topics', null);
    const all = [...topics];
    showStatus('grey', `removed: ${all.filter((topic) => topic.endsWith('/config')).length} entities`);
    return [all.map(empty), null, unsubscribe];
}

let config;
try {
    config = JSON.parse(msg.payload);
} catch {
    return null;
}
const id = config?.device?.identifiers?.[0] ?? '';
const device = context.get('device');
// `to_mqtt.py` announces a whole BMS on one topic, without a state topic of its own: that one is not
// this flow's.
const isOwn = config?.origin?.name === 'recbms-zmq' && typeof config.state_topic === 'string';
if (isOwn && (!device || id === `recbms_${device}`)) {
    [msg.topic, config.state_topic, config.availability?.[0]?.topic]
        .filter((topic) => typeof topic === 'string')
        .forEach((topic) => topics.add(topic));
}
return null;
