// On Message: makes an event entity of each BMS, and of each alarm an event of it.
//
// In:  messages of recbms-zmq;
//      msg.control = 'announce'  the broker is there: announce again;
//                    'removed'   the entities were removed: publish nothing until the next deploy.
// Out: to the broker. An event is not retained: Home Assistant would take it again at its start.
//
// A program that Node-RED has started raises an alarm again that is still active: the same as the last
// one is not published.

const announced = context.get('announced'); // device → the configuration that was published
const last = flow.get('recbms_mqtt_alarms'); // device → the last event
const base = msg.topic?.slice(0, -(msg.key ?? '').length);

function configuration() {
    const id = `recbms_${msg.device}_alarm`;
    const config = {
        unique_id: id,
        name: 'Alarm',
        icon: 'mdi:alert-outline',
        event_types: ['alarm_raised', 'alarm_cleared'],
        state_topic: `${base}alarm`,
        availability_mode: 'all',
        availability: [{ topic: `${base}availability` }, { topic: env.get('MQTT_STATUS_TOPIC') }],
        device: { identifiers: [`recbms_${msg.device}`], name: msg.device_name, manufacturer: 'REC' },
        origin: { name: 'recbms-zmq' },
    };
    return {
        topic: `${env.get('MQTT_DISCOVERY_PREFIX')}/event/${id}/config`,
        payload: JSON.stringify(config),
        qos: 1,
        retain: true,
    };
}

function announce() {
    const config = configuration();
    if (announced.get(msg.device)?.payload === config.payload) {
        return [];
    }
    announced.set(msg.device, config);
    return [config];
}

function alarm() {
    const { event, ...rest } = msg.payload;
    const { number, unit, cell } = rest;
    const key = JSON.stringify([event, number, unit, cell]);
    if (last[msg.device] === key) {
        return [];
    }
    last[msg.device] = key;
    const payload = JSON.stringify({ event_type: event, ...rest, ts: msg.ts });
    return [{ topic: `${base}alarm`, payload, qos: 1, retain: false }];
}

if (msg.control === 'removed') {
    context.set('removed', true);
}
if (context.get('removed')) {
    return null;
}
// A trigger node repeats the message that started it: control comes first.
if (msg.control === 'announce') {
    return [[...announced.values()]];
}
if (msg.control || !['availability', 'event'].includes(msg.kind)) {
    return null;
}
return [[...announce(), ...(msg.kind === 'event' ? alarm() : [])]];
