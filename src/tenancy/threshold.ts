/** A probability from which Sentinel acts, such as a risk score. */
import { z } from "zod";

/** Above 0 and below 1. */
export const threshold = z.number().min(0.000_001).max(0.999_999);
