// Keeps the dashboard's page open in a real browser. Argument: JSON with url, chromium, modules.
// Each line on stdin is an order, JSON: {"do": name of `orders`, …}; its answer is a line of JSON.

import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';

const { url, chromium: executablePath, modules } = JSON.parse(process.argv[2]);
const { chromium } = createRequire(`${modules}/`)('playwright-core');
const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--force-color-profile=srgb'],
});
const page = await browser.newPage({ deviceScaleFactor: 0.75 });
const complaints = [];
page.on('pageerror', (error) => complaints.push(error.message));
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
// With it, the dashboard's charts can be found by its own tests, and by ours.
await page.addInitScript(() => { globalThis.Cypress = {}; });

const orders = {
    open: async ({ width, height, path }) => {
        await page.setViewportSize({ width, height });
        await page.goto(`${url}${path}`);
        await page.locator('.recbms').first().waitFor();
    },

    // Everything that the page says, by the `data-test` of where it stands.
    read: () => page.evaluate(() => {
        const found = {};
        for (const element of document.querySelectorAll('[data-test]')) {
            const bar = element.querySelector('.recbms-bar > div');
            const words = [...element.querySelectorAll('[title]')].map((mark) => mark.title);
            const look = ['near', 'out', 'unknown'].filter((each) => element.classList.contains(`recbms-${each}`));
            found[element.dataset.test] = bar
                ? [element.querySelector('.recbms-voltage').innerText, bar.style.height, ...words, ...look].join(' ')
                : (element.innerText ?? element.textContent).replace(/\s+/g, ' ').trim();
        }
        return found;
    }),

    charts: () => page.evaluate(() => Object.fromEntries(
        Object.entries(globalThis.uiCharts ?? {}).map(([id, { chart }]) => [
            id,
            chart.getOption().series.map(({ name, data }) => ({ name, values: data.map(([, y]) => y) })),
        ]),
    )),

    choose: ({ name }) => page.getByRole('button', { name }).click(),

    // As if so much time had passed in which nothing came.
    skip: ({ seconds }) => page.evaluate((ms) => {
        const now = Date.now;
        Date.now = () => now() + ms;
    }, seconds * 1000),

    // How far the page is wider than the screen, and the elements that are.
    overflow: () => page.evaluate(() => [...document.querySelectorAll('.recbms, .recbms *')]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
        .map((element) => element.className || element.tagName)
        .concat(document.documentElement.scrollWidth > innerWidth ? ['page'] : [])),

    complaints: () => complaints.splice(0),

    picture: async ({ file }) => {
        await page.waitForTimeout(2000); // bars and gauge move to their place, charts are drawn
        await page.screenshot({ path: file });
    },
};

for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    const answer = await orders[order.do](order);
    console.log(JSON.stringify(answer ?? null));
}
await browser.close();
