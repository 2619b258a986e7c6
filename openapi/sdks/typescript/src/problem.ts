import { type Problem, ProblemFromJSON } from './models/index.js';

export interface ApiProblem extends Problem {}

/** A failed call. `type` and `retryable` are for programs, `title` and `detail` for people. */
export class ApiProblem extends Error {
  override name = 'ApiProblem';

  /** `retryAfter`: the seconds that the service demands. */
  constructor(readonly problem: Problem, readonly retryAfter = 0) {
    super(problem.detail || problem.title);
    Object.assign(this, problem);
  }
}

const MAY_PASS = [429, 502, 503, 504];

/** The problem that a response holds. If it holds none, such as that of a proxy, its type is `about:blank`. */
export async function problemOf(response: Response): Promise<ApiProblem> {
  const { status, statusText, headers } = response;
  const blank = {
    type: 'about:blank',
    title: statusText || `HTTP ${status}`,
    status,
    detail: '',
    instance: '',
    retryable: MAY_PASS.includes(status),
    requestId: headers.get('X-Request-Id') ?? '',
  };
  const text = await response.text().catch(() => '');
  const problem = ProblemFromJSON({ ...blank, ...(isProblem(headers) && parsed(text)) });
  return new ApiProblem(problem, seconds(headers.get('Retry-After')));
}

function isProblem(headers: Headers): boolean {
  return /^application\/problem\+json\b/i.test(headers.get('Content-Type') ?? '');
}

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** RFC 9110, 10.2.3: seconds, or a date. */
function seconds(value: string | null): number {
  if (value === null) return 0;
  const number = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return number > 0 ? number : 0;
}
