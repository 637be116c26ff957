// The two things of Node that client.ts uses beside what browsers have.
declare const process: { argv: string[] };
