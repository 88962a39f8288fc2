// On Start: forgets what was sent before this deploy. The context outlives a deploy.

context.set('known', {});
context.set('models', {});
context.set('timer', null);
context.set('removed', false);
context.set('reason', '');
context.set('warned', '');
context.set('status', '');
