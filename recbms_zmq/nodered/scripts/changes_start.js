// On Start: forgets what was sent before this deploy. With a context store of its own in Node-RED's
// settings, the context outlives it.

context.set('began', Date.now());
context.set('known', {});
context.set('models', Object.create(null)); // any id of a BMS is only a key of it
context.set('hasTimer', false);
context.set('removed', false);
context.set('reason', '');
context.set('warned', '');
context.set('warnedAt', 0);
context.set('status', '');
