// On Start: forgets what an earlier deploy had told Home Assistant. The context outlives a deploy.

context.set('known', {});
context.set('warned', '');
context.set('status', '');
