// On Message: makes of one reading Home Assistant's MQTT discovery and a state, both retained,
// so that they outlive a restart of Home Assistant.

const retained = { qos: 1, retain: true };

if (msg.kind === 'availability') {
    return { ...retained, topic: msg.topic, payload: msg.payload };
}

const state = { ...retained, topic: msg.topic, payload: JSON.stringify({ value: msg.payload }) };
if (!msg.first) {
    // While the BMS is offline, its availability shows it, and the last values may stay.
    return msg.online ? state : null;
}

/** The BMS's own page, where its address is known: one BMS that this flow has started to read. */
function link() {
    const [, host] = /^(?:[\w-]+=)?(?:ws|http)s?:\/\/(?:[^@/\s]*@)?([^/\s]+)\S*$/.exec(env.get('BMS_URL') ?? '') ?? [];
    return host ? { configuration_url: `http://${host}/` } : {};
}

const id = `recbms_${msg.device}_${msg.key.replaceAll('/', '_')}`;
const isBinary = msg.ha.component === 'binary_sensor';
const { component, enabled_by_default, ...words } = msg.ha;
const config = {
    unique_id: id,
    name: msg.name,
    state_topic: msg.topic,
    value_template: '{{ value_json.value }}',
    unit_of_measurement: msg.unit,
    ...words,
    // What the template makes of true and false.
    ...(isBinary ? { payload_on: 'True', payload_off: 'False' } : {}),
    availability_mode: 'all',
    availability: [
        { topic: msg.topic.slice(0, -msg.key.length) + 'availability' },
        { topic: env.get('MQTT_STATUS_TOPIC') },
    ],
    device: {
        identifiers: [`recbms_${msg.device}`],
        name: msg.device_name,
        manufacturer: 'REC',
        model: msg.model ?? 'BMS',
        ...link(),
    },
    origin: { name: 'recbms-zmq' },
};
const announcement = {
    ...retained,
    topic: `${env.get('MQTT_DISCOVERY_PREFIX')}/${component}/${id}/config`,
    payload: JSON.stringify(config),
};
return [[announcement, state]];
