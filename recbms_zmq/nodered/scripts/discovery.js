// On Message: makes of one reading what the companion integration in Home Assistant understands.
// A new sensor is announced first; that makes the entity, its device and its unit. The state follows
// in any case, since announcing an entity that is there already leaves its state alone.

if (msg.kind !== 'reading') {
    return null; // the companion knows no "unavailable": the readings themselves come as null
}

const id = {
    server_id: 'recbms',
    node_id: `${msg.device}_${msg.key.replaceAll('/', '_')}`,
};
// Home Assistant refuses states of more than 255 characters.
const state = typeof msg.payload === 'string' ? msg.payload.slice(0, 255) : msg.payload;

function send(type, rest) {
    return { topic: msg.topic, payload: { protocol: 'websocket', data: { type, ...id, ...rest } } };
}

function config() {
    const { device_class, state_class, entity_category, icon } = msg.ha;
    const words = {
        // With the device's name in front, old and new Home Assistant make the same entity id.
        name: `${msg.device_name} ${msg.name}`,
        unit_of_measurement: msg.unit,
        device_class,
        state_class,
        entity_category,
        icon,
    };
    return Object.fromEntries(Object.entries(words).filter(([, word]) => word !== undefined));
}

const out = [];
if (msg.first) {
    out.push(send('nodered/discovery', {
        component: msg.ha.component,
        config: config(),
        state,
        attributes: {},
        device_info: {
            id: `recbms_${msg.device}`,
            name: msg.device_name,
            manufacturer: 'REC',
            model: msg.model ?? 'BMS',
        },
    }));
}
out.push(send('nodered/entity', { state, attributes: {} }));
if (msg.confirm && msg.ha.options) {
    // Taken only for an entity that is there already.
    out.push(send('nodered/entity/update_config', { config: { options: msg.ha.options } }));
}
return [out];
