// Asks this server, which asks the hub.

/** Questions to `firstbell/companion…` with the page's own cookie and XSRF token. */
export class Talk {
  constructor(app, services) {
    this._settings = app.serviceManager.serverSettings;
    this._services = services;
  }

  /** Status and JSON of the answer; status 0 where there was none. Never throws. */
  async ask(path = '', told = undefined) {
    const url = `${this._settings.baseUrl}firstbell/companion${path}`;
    const init = told === undefined ? {} : { method: 'POST', body: JSON.stringify(told) };
    try {
      const response = await this._services.ServerConnection.makeRequest(url, init, this._settings);
      const text = await response.text();
      return { status: response.status, answer: text ? JSON.parse(text) : {} };
    } catch {
      return { status: 0, answer: { message: 'Your server does not answer at the moment.', away: true } };
    }
  }
}

/** Waits that many milliseconds. */
export function pause(milliseconds) {
  return new Promise(done => setTimeout(done, milliseconds));
}
