// Does one thing in a real browser, as a person would. The order is JSON:
//   page      what to do, a name of `pages`
//   url       of the page
//   file      where the picture goes; of `import` the flow to import; of `entity` the text to wait for
//   chromium  path of the browser
//   modules   folder of playwright-core
//   token     of Home Assistant

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const order = JSON.parse(process.argv[2]);
const { chromium } = createRequire(`${order.modules}/`)('playwright-core');

const pages = {
    'node-red': async (page) => {
        await page.setViewportSize({ width: 2300, height: 1900 }); // holds the largest flow
        await editor(page);
        await page.evaluate(() => {
            RED.actions.invoke('core:toggle-palette', false);
            RED.actions.invoke('core:toggle-sidebar', false);
            RED.actions.invoke('core:toggle-show-grid', false); // makes large files
        });
        await page.waitForTimeout(1000);
        const box = await page.evaluate(() => {
            const groups = RED.nodes.groups(RED.workspaces.active());
            const right = Math.max(...groups.map((group) => group.x + group.w));
            const bottom = Math.max(...groups.map((group) => group.y + group.h));
            const chart = document.querySelector('#red-ui-workspace-chart').getBoundingClientRect();
            return { right: chart.x + right, bottom: chart.y + bottom };
        });
        return { x: 0, y: 44, width: box.right + 20, height: box.bottom - 44 + 20 };
    },

    environment: async (page) => {
        await editor(page);
        await page.evaluate(() => RED.actions.invoke('core:edit-flow'));
        await page.waitForSelector('.red-ui-tray-content');
        await page.waitForTimeout(1000); // the tray slides in
        await page.click('.red-ui-tray .red-ui-tab-link-button .fa-list');
        await page.waitForTimeout(500);
        const tray = await page.locator('.red-ui-tray').boundingBox();
        return { ...tray, height: Math.min(tray.height, 660) };
    },

    import: async (page) => {
        await editor(page);
        await page.keyboard.press('Control+i');
        await page.setInputFiles('#red-ui-clipboard-dialog-import-file-upload', order.file);
        await page.getByRole('button', { name: 'Import', exact: true }).click();
        const { id } = JSON.parse(readFileSync(order.file)).find((node) => node.type === 'tab');
        await page.waitForFunction((tab) => RED.nodes.workspace(tab), id);
        await page.click('#red-ui-header-button-deploy');
        await page.waitForFunction(() => !RED.nodes.dirty());
        return null;
    },

    // Opens what Home Assistant shows of an entity, and waits for a text in it.
    entity: async (page) => {
        await login(page);
        await page.goto(order.url);
        // A card that is hidden can have the same text.
        const text = page.getByText(order.file).filter({ visible: true });
        await text.first().waitFor({ timeout: 60000 });
        return null;
    },

    'home-assistant': async (page) => {
        await login(page);
        await page.goto(order.url);
        await page.locator('hui-gauge-card').first().waitFor({ timeout: 60000 });
        await page.waitForTimeout(8000); // the graphs are drawn
        const cards = await page.locator('hui-card').all();
        const boxes = await Promise.all(cards.map((card) => card.boundingBox()));
        const bottom = Math.max(...boxes.filter(Boolean).map((box) => box.y + box.height));
        return { x: 0, y: 0, width: 1900, height: bottom + 30 };
    },
};

async function login(page) {
    const tokens = {
        access_token: order.token,
        token_type: 'Bearer',
        expires_in: 1800,
        hassUrl: new URL(order.url).origin,
        clientId: `${new URL(order.url).origin}/`,
        expires: Date.now() + 1e9,
        refresh_token: '',
    };
    await page.addInitScript((text) => {
        localStorage.setItem('hassTokens', text);
        localStorage.setItem('dockedSidebar', '"always_hidden"');
    }, JSON.stringify(tokens));
}

async function editor(page) {
    await page.goto(order.url);
    await page.waitForFunction(() => globalThis.RED?.workspaces?.active());
    await page.waitForTimeout(6000); // nodes get their statuses
}

const browser = await chromium.launch({
    executablePath: order.chromium,
    args: ['--no-sandbox', '--force-color-profile=srgb'],
});
const page = await browser.newPage({ viewport: { width: 1900, height: 1500 }, deviceScaleFactor: 0.75 });
const clip = await pages[order.page](page);
if (clip) {
    await page.screenshot({ path: order.file, clip });
}
await browser.close();
