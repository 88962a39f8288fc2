// On Message: removes the states that this flow has written, of one BMS or of all.
//
// In:  msg.control = 'remove'  the button; msg.payload is the id of a BMS, or empty for all;
//      msg.request             an answer, with all states in msg.payload, or with msg.error.
// Out: 1. requests for the Home Assistant node; 2. {control: 'removed'} for *Only what changed*.

const AWAY_MS = 5000;

/* is_away.js */

function request(method, path, rest) {
    return { payload: { protocol: 'http', method, path }, request: rest };
}

if (msg.control === 'remove') {
    const device = String(msg.payload ?? '').trim();
    node.status({ fill: 'yellow', shape: 'dot', text: 'removing' });
    return [request('get', 'states', { list: true, device }), { control: 'removed' }];
}
if (msg.error) {
    const text = String(msg.error.message ?? msg.error);
    if (isAway(text)) {
        const { protocol, method, path } = msg.payload;
        const again = { payload: { protocol, method, path }, request: msg.request };
        node.status({ fill: 'yellow', shape: 'dot', text: 'waiting for Home Assistant' });
        setTimeout(() => node.send([again, null]), AWAY_MS);
    } else {
        node.status({ fill: 'red', shape: 'dot', text });
    }
    return null;
}
if (msg.request?.list) {
    const { device } = msg.request;
    const mine = msg.payload.filter(({ attributes }) => (
        attributes.recbms_device !== undefined && (!device || attributes.recbms_device === device)
    ));
    node.status({ fill: 'grey', shape: 'dot', text: `removed: ${mine.length} entities` });
    return [mine.map(({ entity_id }) => request('delete', `states/${entity_id}`, {})), null];
}
return null;
