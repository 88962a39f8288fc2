// On Message: makes of one reading a POST /api/states/<entity_id>.

if (msg.kind !== 'reading') {
    return null; // while the BMS is offline, each reading becomes unknown by itself
}

const name = `${msg.device_name} ${msg.name}`;
// As in Home Assistant's own ids.
const LETTERS = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ð: 'd', þ: 'th', ı: 'i', '’': '' };
const slug = name
    .toLowerCase().replace(/[ßæœøłđðþı’]/g, (letter) => LETTERS[letter])
    .normalize('NFKD').replace(/[\u0300-\u036f]/g, '')
    .toLowerCase().replace(/(?<=\d),(?=\d)/g, '').replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, '');
const isBinary = msg.ha.component === 'binary_sensor';

function state() {
    if (!msg.online) {
        return 'unavailable';
    }
    if (msg.payload === null) {
        return 'unknown';
    }
    if (isBinary) {
        return msg.payload ? 'on' : 'off';
    }
    return String(msg.payload).slice(0, 255); // Home Assistant refuses longer ones
}

const { device_class, state_class, icon, options } = msg.ha;
msg.payload = {
    protocol: 'http',
    method: 'post',
    path: `states/${msg.ha.component}.${slug}`,
    data: {
        state: state(),
        // What is undefined is left out when this becomes JSON.
        attributes: {
            friendly_name: name,
            unit_of_measurement: msg.unit,
            device_class,
            state_class,
            icon,
            options,
            recbms_device: msg.device, // by which *Remove from Home Assistant* finds it
        },
    },
};
return msg;
