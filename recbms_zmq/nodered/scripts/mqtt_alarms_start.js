// On Start: forgets which BMS was announced. The last alarm of each stays: a deploy deletes a node's
// context, and leaves the flow's.

context.set('announced', new Map());
context.set('removed', false);
flow.set('recbms_mqtt_alarms', flow.get('recbms_mqtt_alarms') ?? {});
