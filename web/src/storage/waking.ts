/** How new mail of an account wakes this browser: written by the page. */
export interface Waking {
  id: string;
  endpoint: string;
  /** The id of the service's key. */
  vapid: string;
  /** Whether notifications show sender and subject. */
  alert: boolean;
}

/** The first push of a subscription: written by the worker, for the page to renew with. */
export interface Code {
  id: string;
  code: string;
}

/** What a push says. */
export interface Push {
  account?: string;
  folders?: string[];
  from?: string;
  subject?: string;
  signInAgain?: boolean;
  verification?: Code;
}

/** What the worker says to open pages. */
export interface WorkerMessage {
  /** The account whose subscription has been verified. */
  confirmed?: string;
  /** Its new session token, if there is one. */
  token?: string;
  /** A notification was clicked: what to open is kept. */
  isOpening?: boolean;
}

/** The words of notifications, in the language of the page. */
export interface WakingWords {
  newMail: string;
  signInAgain: string;
}

/** Names of what is kept. */
export const WAKING = 'waking';
export const CODE = 'code';
export const OPENING = 'opening';
export const WAKING_WORDS = 'waking-words';
