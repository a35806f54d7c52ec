/** Tables of lists. */
import { type ColumnDef, tableFeatures, useTable } from "@tanstack/react-table";
import type { ReactNode } from "react";

const features = tableFeatures({});

export interface Column<Row> {
  readonly id: string;
  readonly header: string;
  readonly cell: (row: Row) => ReactNode;
  /** Numbers stand at the right. */
  readonly isNumber?: boolean;
}

interface DataTableProps<Row> {
  /** What the table holds, for a screen reader. */
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowId: (row: Row) => string;
  /** The row that is shown in detail beside the table. */
  readonly selected?: string | undefined;
}

/** On a narrow screen each row is a block, and each cell names its column. */
export function DataTable<Row extends object>(props: DataTableProps<Row>) {
  const { caption, columns, rows, rowId, selected } = props;
  const table = useTable({
    features,
    data: [...rows],
    columns: columns.map(
      ({ id, header, cell }): ColumnDef<typeof features, Row> => ({
        id,
        header,
        cell: ({ row }) => cell(row.original),
      }),
    ),
    getRowId: rowId,
  });
  const numbers = new Set(columns.filter(({ isNumber }) => isNumber).map(({ id }) => id));
  const headers = new Map(columns.map(({ id, header }) => [id, header]));
  return (
    <div className="table-place">
      <table className="table">
        <caption className="hidden-label">{caption}</caption>
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {group.headers.map((header) => (
                <th
                  key={header.id}
                  scope="col"
                  className={numbers.has(header.id) ? "number" : undefined}
                >
                  <table.FlexRender header={header} />
                </th>
              ))}
            </tr>
          ))}
        </thead>
        <tbody>
          {table.getRowModel().rows.map((row) => (
            <tr key={row.id} className={row.id === selected ? "selected" : undefined}>
              {row.getAllCells().map((cell) => (
                <td
                  key={cell.id}
                  data-label={headers.get(cell.column.id)}
                  className={numbers.has(cell.column.id) ? "number" : undefined}
                >
                  <table.FlexRender cell={cell} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
