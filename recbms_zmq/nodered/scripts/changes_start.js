// On Start: forgets what was sent before this deploy. With a context store of its own in Node-RED's
// settings, the context outlives it.

context.set('began', Date.now());
context.set('known', {});
context.set('models', {});
context.set('timer', null);
context.set('removed', false);
context.set('reason', '');
context.set('warned', '');
context.set('status', '');
