// What a user writes on Pods and images to make the stand-in kubelet do something (README.md, "Pods on command").

/** Annotation on a Pod: `"false"` makes it not Ready for as long as it says so. */
export const READY = 'sandbox.tranche.dev/ready';
/** Annotation on a Pod: every new value kills its containers once, as the kernel does when memory runs out. */
export const OOM = 'sandbox.tranche.dev/oom';
/** Annotation on a HorizontalPodAutoscaler: the number of replicas its metric asks for. */
export const DESIRED_REPLICAS = 'sandbox.tranche.dev/desired-replicas';

/** How a container fares, by the tag of its image. */
export type Fate = 'good' | 'slow' | 'broken' | 'crash';

export const fateOf = (image: string): Fate => {
  const tag = /:([^/:@]+)(@.*)?$/.exec(image)?.[1];
  return tag === 'broken' || tag === 'crash' || tag === 'slow' ? tag : 'good';
};
