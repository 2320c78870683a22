/** What the server says, in its own words: snake_case, times in seconds, timestamps RFC 3339. */
import type { components } from "$generated/api";

type Schemas = components["schemas"];

export type Category = Schemas["TagInfo"]["category"];
/** The order in which categories are shown everywhere. */
export const CATEGORIES: readonly Category[] = ["genre", "mood", "instrument", "voice", "decade", "other"];

/** What people read of a tag. */
export interface Tag {
  name: string;
  display_name: string;
  category: Category;
}

export type Health = Schemas["Health"];
export type Model = Schemas["Model"];
export type ModelTag = Schemas["TagInfo"];
export type ProblemDocument = Schemas["Problem"];

export type Job = Schemas["Job"];
export type JobPage = Schemas["JobPage"];

export type Analysis = Schemas["Analysis"];
export type ScoredTag = Schemas["ScoredTag"];
export type TaggramDocument = Schemas["Taggram"];
export type Peaks = Schemas["Peaks"];
export type Moment = Schemas["Moment"];
export type Evidence = Schemas["Evidence"];
export type Chord = Schemas["Chord"];
export type Chords = Schemas["Chords"];

export type Track = Schemas["Track"];
export type TrackDetail = Schemas["TrackDetail"];
export type TrackTag = Schemas["TrackTag"];
export type TrackHit = Schemas["TrackHit"];
export type TrackPage = Schemas["TrackPage"];
export type TrackIds = Schemas["TrackIds"];
export type SimilarTrack = Schemas["SimilarTrack"];
export type SavedSearch = Schemas["SavedSearch"];
export type Facets = Partial<Record<Category, Schemas["FacetValue"][]>>;
export type FacetValue = Schemas["FacetValue"];
export type LibraryOverview = Schemas["LibraryOverview"];

export type Playlist = Schemas["Playlist"];
export type PlaylistRequest =
  | Schemas["QueryPlaylist"]
  | Schemas["SeedsPlaylist"]
  | Schemas["PathPlaylist"]
  | Schemas["CurvePlaylist"]
  | Schemas["ChosenPlaylist"];

export type Plan = Schemas["Plan"];
export type TaxonomyInfo = Schemas["TaxonomyInfo"];
export type PlanOptions = Schemas["PlanOptions"];
export type Change = Schemas["Change"];
export type ChangePage = Schemas["ChangePage"];

export type OwnTag = Schemas["OwnTag"];
export type OwnTagDetail = Schemas["OwnTagDetail"];
export type Suggestion = Schemas["Suggestion"];

export type LibraryMap = Schemas["LibraryMap"];
export type MapScores = Schemas["MapScores"];
export type TagMap = Schemas["TagMap"];

export type Dataset = Schemas["Dataset"];
export type Evaluation = Schemas["Evaluation"];
export type RobustnessStudy = Schemas["RobustnessStudy"];
export type RobustnessCurves = Schemas["RobustnessCurves"];
export type DeformationCurves = Schemas["DeformationCurves"];
export type RobustFigure = Schemas["RobustFigure"];
