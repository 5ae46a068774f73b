/** What /proc says about a running process: the numbers that must not grow while front-ends come and go. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Open descriptors of `pid`. */
export function fdCount(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Targets of the open descriptors of `pid`, sorted: names the culprit when `fdCount` grew. */
export function fdTargets(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\[\d+\]$/, '');
      } catch {
        return '(closed meanwhile)';
      }
    })
    .sort();
}

/** Memory mappings of `pid` (lines of /proc/PID/maps). */
export function mapCount(pid: number): number {
  return mapLines(pid).length;
}

/** Mappings of `pid` whose backing file was shared by another process: memfd, hugetlbfs or deleted files. */
export function sharedFileMaps(pid: number): string[] {
  return mapLines(pid).filter((line) => {
    const [, flags, , , , ...path] = line.split(/\s+/);
    return flags?.[3] === 's' && /memfd:|hugepages|\(deleted\)/.test(path.join(' '));
  });
}

/** Resident memory of `pid` in KiB. */
export function rssKiB(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0);
}

function mapLines(pid: number): string[] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').filter(Boolean);
}
