// On Start: forgets what an earlier deploy had told Home Assistant.

context.set('known', {});
context.set('warned', '');
